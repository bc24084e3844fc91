#!/usr/bin/env python3
"""ials.py - factors of items by iALS (Hu, Koren and Volinsky, 2008), the well-kept library "implicit" doing the work.

    psview --edges g.psg | scripts/ials.py OUT WEIGHT/REGULARISATION... 

Standard input has lines item TAB board.  Writes OUT.names, an item a line, and for each setting OUT-N.npy, N from 1:
a row of factors for each of these items.  A board counts as a user, WEIGHT is the weight of an observation.
"""
import argparse
import os
import sys

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # the library's own threads do the work


def main():
    parser = argparse.ArgumentParser(description="factors of items by iALS")
    parser.add_argument("out")
    parser.add_argument("settings", nargs="+", metavar="WEIGHT/REGULARISATION")
    parser.add_argument("--factors", type=int, default=128)
    parser.add_argument("--iterations", type=int, default=15)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=0)
    args = parser.parse_args()

    import numpy as np
    import scipy.sparse
    from implicit.als import AlternatingLeastSquares

    item_numbers, board_numbers, items, boards = {}, {}, [], []
    for number, line in enumerate(sys.stdin.buffer, 1):
        fields = line.rstrip(b"\n").split(b"\t")
        if len(fields) < 2:
            sys.exit("ials.py: standard input: line %d: no tab in it" % number)
        items.append(item_numbers.setdefault(fields[0], len(item_numbers)))
        boards.append(board_numbers.setdefault(fields[1], len(board_numbers)))
    matrix = scipy.sparse.csr_matrix((np.ones(len(items), np.float32), (boards, items)),
                                     shape=(len(board_numbers), len(item_numbers)))
    matrix.data[:] = 1  # parallel edges count once
    with open(args.out + ".names", "wb") as names:
        names.writelines(name + b"\n" for name in item_numbers)
    for number, setting in enumerate(args.settings, 1):
        weight, regularisation = (float(x) for x in setting.split("/"))
        model = AlternatingLeastSquares(factors=args.factors, alpha=weight, regularization=regularisation,
                                        iterations=args.iterations, random_state=args.seed, num_threads=args.threads,
                                        use_gpu=False)
        model.fit(matrix, show_progress=False)
        np.save("%s-%d.npy" % (args.out, number), model.item_factors)


main()

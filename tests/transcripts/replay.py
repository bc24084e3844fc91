"""replay.py TRANSCRIPT [free]: runs the lines that begin with "$ ", and compares what they print with what stands below.

Any number stands for any other, and blanks for as many: figures differ from processor to processor in their last digits.
"..." stands for any lines; what begins with "# " is for people.  With "free", of other data, what is printed is not compared; a command that fails always fails.
"""
import re
import subprocess
import sys

text, free = open(sys.argv[1]).read(), sys.argv[2:] == ["free"]
steps, ran = re.split(r"^\$ ", text, flags=re.M)[1:], 0


def form(line):
    return re.sub(r"\s+", " ", re.sub(r"[-+]?\d+(\.\d+)?", "#", line)).strip()


def matches(got, want):
    for i, line in enumerate(want):
        if line == "...":
            return any(matches(got[k:], want[i + 1:]) for k in range(i, len(got) + 1))
        if i >= len(got) or form(got[i]) != form(line):
            return False
    return len(got) == len(want)


for step in steps:
    command, _, output = step.partition("\n")
    while command.endswith("\\"):
        more, _, output = output.partition("\n")
        command += "\n" + more
    output = re.split(r"^# ", output, flags=re.M)[0]
    p = subprocess.run(["sh", "-euc", command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    got, want = p.stdout.splitlines(), output.rstrip("\n").splitlines() if output.strip() else []
    if p.returncode or not (free or matches(got, want)):
        sys.exit("$ %s\n%s(status %d)\n--- expected:\n%s" % (command, p.stdout, p.returncode, output))
    ran += 1
assert ran, "no commands"
print(ran, "commands")

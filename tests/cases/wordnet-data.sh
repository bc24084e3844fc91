# make-wordnet-data on five nouns: items, boards and pairs are what wndb(5WN)'s pointers say, and nothing of a test query is
# trained on.
set -eu
. "$PS_ROOT/tests/fixture.sh"
. "$PS_ROOT/tests/need-python"
mkdir wn
cat >wn/data.noun <<'END'
  1 This is the licence.
00000001 03 n 01 entity 0 001 ~ 00000002 n 0000 | what is
00000002 06 n 02 car 0 motor_car 1 003 @ 00000001 n 0000 %p 00000003 n 0000 + 00000009 v 0101 | a vehicle; "he needs a car"
00000003 06 n 01 wheel 0 002 @ 00000001 n 0000 #p 00000002 n 0000 | it turns
00000004 14 n 01 fleet 0 001 ;c 00000001 n 0000 | vehicles
00000005 06 n 01 lorry 0 002 @i 00000001 n 0000 #m 00000004 n 0000 | a vehicle | for goods
END
"$PS_ROOT/scripts/make-wordnet-data" -w wn data >said
printf '%s\n' 'car.00000002	car, motor car. a vehicle; "he needs a car"' 'entity.00000001	entity. what is' 'fleet.00000004	fleet. vehicles' \
    'lorry.00000005	lorry. a vehicle | for goods' 'wheel.00000003	wheel. it turns' >items
gzip -dc data/items.tsv.gz | cmp - items || fail "items: $(gzip -dc data/items.tsv.gz)"
printf '%s\n' 'car.00000002	file:06' 'car.00000002	from:v00000009' 'car.00000002	under:entity.00000001' 'entity.00000001	file:03' \
    'entity.00000001	under:entity.00000001' 'fleet.00000004	domain:entity.00000001' 'fleet.00000004	file:14' 'lorry.00000005	file:06' \
    'lorry.00000005	under:entity.00000001' 'wheel.00000003	file:06' 'wheel.00000003	under:entity.00000001' >edges
gzip -dc data/edges.tsv.gz | cmp - edges || fail "edges: $(gzip -dc data/edges.tsv.gz)"

# ---- a ring of many: each pair both ways round in one of the three files, or left out for an earlier one's sake ----
mkdir ring
awk 'BEGIN { for (i = 1; i <= 400; i++) printf "%08d 03 n 01 w%d 0 001 #p %08d n 0000 | x\n", i, i, i % 400 + 1 }' >ring/data.noun
"$PS_ROOT/scripts/make-wordnet-data" -w ring r >said
for part in train valid test; do
    gzip -dc r/pairs-$part.tsv.gz >$part
    [ -s $part ] || fail "no pairs for $part"
done
cut -f 1 test >queries && cut -f 1 valid >choosing
for name in $(sort -u queries); do
    ! tr '\t' '\n' <train | grep -qxF "$name" || fail "$name is a test query and trained on"
    ! tr '\t' '\n' <valid | grep -qxF "$name" || fail "$name is a test query and chosen by"
done
for name in $(sort -u choosing); do
    ! tr '\t' '\n' <train | grep -qxF "$name" || fail "$name is a query for choosing and trained on"
done
[ "$(awk -F '\t' '{ print $2 "\t" $1 }' train | sort)" = "$(sort train)" ] || fail "a training pair is not there both ways round"

# ---- what is not WordNet ----
echo nonsense >wn/data.noun
! "$PS_ROOT/scripts/make-wordnet-data" -w wn bad >said 2>&1 || fail "nonsense is taken"
grep -q '^make-wordnet-data: wn/data.noun: ' said || fail "not said what is wrong: $(cat said)"
! "$PS_ROOT/scripts/make-wordnet-data" -w nowhere bad >said 2>&1 || fail "a folder that is not there is taken"
grep -qx 'make-wordnet-data: nowhere/data.noun: No such file or directory (Debian has it in wordnet-base)' said || fail "not said where there is one: $(cat said)"

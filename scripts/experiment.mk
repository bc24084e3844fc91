# experiment.mk - psgraph beside its baselines, on a folder of data: see psexperiment(7).
#
#   make experiment DATA=FOLDER      make table1 DATA=FOLDER      (the main Makefile builds the tools before)
#
# RESULTS/NAME, with the folder's name, holds work/: what many runs read (the graph, features, neighbourhoods);
# runs/ROW.SEED.tsv: a line for each run that was made; and definitions/: what everything was made by.  A file there
# changes when what it says does, and so whatever depends on it is made again, and nothing else.
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

SELF := $(lastword $(MAKEFILE_LIST))
SCRIPTS := $(patsubst %/,%,$(dir $(SELF)))
include $(SCRIPTS)/experiment-rows.mk

DATA ?= $(error say which data: DATA=FOLDER)
NAME := $(notdir $(patsubst %/,%,$(DATA)))
RESULTS ?= build/experiment
BIN ?= build/release/bin
# What is made: experiment or table1.  Which tables are in it, and the seeds of their runs.
OUTPUT ?= experiment
TABLES ?= $(if $(filter table1,$(OUTPUT)),$(TABLE1),comparison)
SEEDS ?= $(if $(filter table1,$(OUTPUT)),1 2 3,1)
# Threads of a run.  Runs that go side by side (make -j) want fewer; results are the same for any number.
THREADS ?= $(shell nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
PS_PYTHON ?= python3
FOLDER := $(RESULTS)/$(NAME)

ifneq ($(words $(DATA)) $(words $(RESULTS)),1 1)
$(error one folder at a time, and no blanks in its name: DATA=$(DATA), RESULTS=$(RESULTS))
endif
input = $(or $(firstword $(wildcard $(DATA)/$1.tsv $(DATA)/$1.tsv.gz)),$(error $(DATA)/$1.tsv: is not there, nor $1.tsv.gz))
EDGES := $(call input,edges)
ITEMS := $(call input,items)
PAIRS := $(foreach p,train valid test,$(call input,pairs-$p))

# Where no item has a text there are no words to embed.
has_texts := $(shell gzip -dcf $(ITEMS) 2>/dev/null | awk -F '\t' '$$2 ~ /[^ ]/ { print "yes"; exit }')

# ---- which runs ----
unique = $(if $1,$(firstword $1) $(call unique,$(filter-out $(firstword $1),$1)))
rows := $(call unique,$(foreach t,$(TABLES),$($t.rows)))
ifneq ($(filter ials,$(rows)),)
ifeq ($(shell $(PS_PYTHON) -c 'import implicit' 2>/dev/null && echo yes),)
$(info $(PS_PYTHON) has no module "implicit": the row of iALS is left out (PS_PYTHON=... names another Python))
rows := $(filter-out ials,$(rows))
endif
endif
seeds = $(if $($1.once),1,$(SEEDS))
run = $(FOLDER)/runs/$1.$2.tsv
RUNS := $(foreach r,$(rows),$(foreach s,$(call seeds,$r),$(call run,$r,$s)))

# ---- definitions: written when they have changed, as make reads this ----
WORK := $(FOLDER)/work
DEFINED := $(FOLDER)/definitions
$(shell mkdir -p $(WORK) $(FOLDER)/runs $(DEFINED))
same = $(and $(findstring x$1x,x$2x),$(findstring x$2x,x$1x))
# Word by word: make 4.3 does not always leave the last newline out of what it reads.
record = $(if $(call same,$(strip $(file <$1)),$(strip $2)),,$(file >$1,$2))
quote = '$(subst ','\'',$(strip $1))'
kind = $(or $($1.kind),train)
top = $(if $(filter train walked,$(call kind,$1)),$(filter-out 0,$(or $($1.top),$(TOP))))
terms = $(if $(or $(has_texts),$(terms.$($1.terms)),$(filter texts,$(call kind,$1))),$(filter-out no,$($1.terms)))
define row_definition
kind=$(call kind,$1)
features=$($1.features)
features_options=$(call quote,$(if $($1.features),$(features.$($1.features))))
terms=$(call terms,$1)
terms_options=$(call quote,$(terms.$(call terms,$1)))
top=$(call top,$1)
train=$(call quote,$($1.train))
grid=$(call quote,$(if $(filter ials,$1),$(IALS)))
endef
define data_definition
edges=$(call quote,$(abspath $(EDGES)))
items=$(call quote,$(abspath $(ITEMS)))
train_pairs=$(call quote,$(abspath $(word 1,$(PAIRS))))
valid_pairs=$(call quote,$(abspath $(word 2,$(PAIRS))))
test_pairs=$(call quote,$(abspath $(word 3,$(PAIRS))))
endef
# The tables: a line for each, then one for each of its rows; and the paper's claims.
define nl


endef
varied = $(or $(word 2,$(subst -$($1.varies), ,$2)),$($1.itself))
called = $(if $($1.varies),$($1.varies) = $(call varied,$1,$2),$($2.title))
layout = $(subst $(nl) ,$(nl),$(foreach t,$(TABLES),table	$t	$(if $($t.varies),timed,scores)	$($t.heading)$(nl)$(foreach \
	r,$(filter $(rows),$($t.rows)),row	$r	$(call called,$t,$r)$(nl)))$(foreach \
	c,$(if $(filter paper,$(TABLES)),$(CLAIMS)),claim	$(subst >,	,$c)$(nl)))
$(call record,$(DEFINED)/data,$(data_definition))
$(call record,$(DEFINED)/layout.$(OUTPUT),$(layout))
$(foreach r,$(rows),$(call record,$(DEFINED)/row.$r,$(call row_definition,$r)))
used_features := $(call unique,$(foreach r,$(rows),$($r.features)))
used_terms := $(call unique,$(foreach r,$(rows),$(call terms,$r)))
used_tops := $(call unique,$(foreach r,$(rows),$(call top,$r)))
used_seeds := $(call unique,1 $(SEEDS))
$(foreach f,$(used_features),$(call record,$(DEFINED)/features.$f,$(features.$f)))
$(foreach t,$(used_terms),$(call record,$(DEFINED)/terms.$t,--sparse $(terms.$t)))

# ---- what runs read ----
.PHONY: all tables plots so-far runs
all: tables plots
# work/ can be removed to save room: what is in it is made again only when a run needs it.
.SECONDARY: $(WORK)/g.psg $(used_terms:%=$(WORK)/y-%.psr) $(foreach s,$(used_seeds),$(used_features:%=$(WORK)/x-%.$s.psr) $(used_tops:%=$(WORK)/n-%.$s.psr))
export PATH := $(abspath $(BIN)):$(PATH)
export THREADS PS_PYTHON
STEP := $(SCRIPTS)/step
$(WORK)/g.psg: $(DEFINED)/data $(EDGES) $(ITEMS)
	@$(STEP) "psgraph-build: the graph" "psgraph-build -t -j $(THREADS) -I $(ITEMS) -o $@ <$(EDGES)"
define terms_rule
$(WORK)/y-$1.psr: $(WORK)/g.psg $(ITEMS) $(DEFINED)/terms.$1
	@$(STEP) "psfeat: sparse terms $1" "psfeat -g $$< -t -j $(THREADS) --sparse $(terms.$1) -o $$@ <$(ITEMS)"
endef
$(foreach t,$(used_terms),$(eval $(call terms_rule,$t)))
define features_rule
$(WORK)/x-$1.$2.psr: $(WORK)/g.psg $(ITEMS) $(DEFINED)/features.$1
	@$(STEP) "psfeat: features $1, seed $2" "psfeat -g $$< -t -j $(THREADS) -s $2 $(features.$1) -o $$@ <$(ITEMS)"
endef
$(foreach f,$(used_features),$(foreach s,$(used_seeds),$(eval $(call features_rule,$f,$s))))
define neighbours_rule
$(WORK)/n-$1.$2.psr: $(WORK)/g.psg
	@$(STEP) "psneigh: $1 neighbours, seed $2" "psneigh -g $$< -a -j $(THREADS) -s $2 -T $1 -o $$@"
endef
$(foreach t,$(used_tops),$(foreach s,$(used_seeds),$(eval $(call neighbours_rule,$t,$s))))

# ---- runs: of what work/ has they depend by its own sources, so that making it again makes no run again ----
inputs = $(if $($1.features),$(WORK)/x-$($1.features).$2.psr) $(addprefix $(WORK)/y-,$(addsuffix .psr,$(call terms,$1))) \
	$(if $(call top,$1),$(WORK)/n-$(call top,$1).$2.psr)
define run_rule
$(call run,$1,$2): $(DEFINED)/row.$1 $(DEFINED)/data $(EDGES) $(ITEMS) $(PAIRS) | $(WORK)/g.psg $(call inputs,$1,$2)
	@$(SCRIPTS)/experiment-run $(FOLDER) $1 $2
endef
$(foreach r,$(rows),$(foreach s,$(call seeds,$r),$(eval $(call run_rule,$r,$s))))
runs: $(RUNS)

# ---- tables and plots ----
tabulate = $(SCRIPTS)/experiment-table $(FOLDER) $(OUTPUT)
$(FOLDER)/$(OUTPUT).tsv $(FOLDER)/$(OUTPUT).md &: $(DEFINED)/layout.$(OUTPUT) $(RUNS)
	@$(tabulate) $(RUNS)
tables: $(FOLDER)/$(OUTPUT).md
plots: tables
	@$(SCRIPTS)/experiment-plots $(FOLDER) $(OUTPUT) $(RUNS)
# What there is of the tables: of the runs that were made, those that are not out of date.
so-far:
	@$(tabulate) $$(for run in $(wildcard $(RUNS)); do $(MAKE) -f $(SELF) -q --no-print-directory $$run >/dev/null && echo $$run; done)

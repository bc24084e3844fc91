# experiment-rows.mk - what the rows of psexperiment(7)'s tables are.  This is the one place where the options of a
# row are written; what is made anew when they change is experiment.mk's business.
#
#   NAME.title     what the table calls it
#   NAME.kind      how scripts/experiment-run makes it; "train" where nothing is said
#   NAME.train     options of pstrain
#   NAME.features  the set of features that it reads, one of the features.* below
#   NAME.terms     sparse terms as well, for token embeddings: one of the terms.* below
#   NAME.top       neighbours, for which the neighbourhoods are made; 0: it reads none
#   NAME.once      yes: chance plays no part, so that one seed says all

# ---- options that rows share; each can be given on make's command line ----
# psgraph's own recipe: scripts/demo runs it too.
RECIPE ?=
RECIPE_FEATURES ?= -d 512 --lsa --board-terms
RECIPE_TERMS ?= --board-terms
# The paper's.  At full size an epoch of 40 thousand pairs takes some 30 processor-seconds;
# PAPER='--paper --hidden 128 --rate .008 --epochs 8' takes half of that and fewer epochs.
PAPER ?= --paper
# Neighbours of an item, and what pstrain takes for a batch when nothing is said.
TOP ?= 20
BATCH := 1024
SWEEP_TOP ?= 5 10 20 50
SWEEP_BATCH ?= 256 512 1024 2048 4096
# Weight of an observation / regularisation: the best on the validation pairs counts.
IALS ?= 10/10 20/50 40/10 40/100 100/10 100/300 200/10

features.recipe := $(RECIPE_FEATURES)
features.no-sketch := $(RECIPE_FEATURES) --sketch 0
features.no-degree := $(RECIPE_FEATURES) --no-degree
features.signs := -d 1024 --board-terms
features.no-board-terms := -d 512 --lsa
features.paper := -d 256 --sketch 0
features.text := -d 256 --text-only
# Sparse terms: of the texts alone, and those of the recipe.
terms.words :=
terms.recipe := $(RECIPE_TERMS)

# ---- baselines ----
BASELINES := popularity content content-256 walk knn ials mlp
popularity.title := popularity among the training pairs
popularity.kind := popularity
popularity.once := yes
content.title := content: full tf-idf, cosine
content.kind := texts
content.terms := words
content.once := yes
content-256.title := content: tf-idf projected to 256, cosine
content-256.kind := vectors
content-256.features := text
walk.title := random walk, restart .5, 20,000 steps
walk.kind := walk
knn.title := item-kNN: cosine of idf-weighted boards
knn.kind := boards
knn.once := yes
ials.title := iALS, 128 factors, cosine
ials.kind := ials
mlp.title := MLP on content (K = 0), margin loss
mlp.features := text
mlp.top := 0
# As well as it can be done on the validation pairs, whatever PAPER says: it is cheap, and gains by width and by time.
mlp.train := --paper --layers 0 --hard 0 --hidden 512 --rate .003 --epochs 20

# ---- the paper's own ablation (its table 1) ----
PAPER_ROWS := max-pool mean-pool mean-pool-xent mean-pool-hard pinsage
max-pool.title := max-pooling
max-pool.train = $(PAPER) --pooling max --hard 0
mean-pool.title := mean-pooling
mean-pool.train = $(PAPER) --pooling mean --hard 0
mean-pool-xent.title := mean-pooling, cross-entropy
mean-pool-xent.train = $(PAPER) --pooling mean --hard 0 --loss xent
mean-pool-hard.title := mean-pooling, hard negatives
mean-pool-hard.train = $(PAPER) --pooling mean
pinsage.title := PinSage as published
pinsage.train = $(PAPER)
$(foreach r,$(PAPER_ROWS),$(eval $r.features := paper))

# ---- psgraph's recipe without each of its parts, and with what might have been in it ----
RECIPE_PARTS := recipe no-board-terms no-sketch no-bypass no-bias no-tokens no-convolution two-convolutions mean-neighbours \
	fresh-walks signs no-degree no-normalize
recipe.title := psgraph's recipe
no-board-terms.title := boards are no terms
no-board-terms.features := no-board-terms
no-board-terms.terms := words
no-sketch.title := no structural sketch
no-sketch.features := no-sketch
no-bypass.title := no bypass
no-bypass.train = $(RECIPE) --no-bypass
no-bias.title := no item bias
no-bias.train = $(RECIPE) --no-bias
no-tokens.title := no token embeddings
no-tokens.terms := no
no-convolution.title := no convolution (K = 0)
no-convolution.train = $(RECIPE) --layers 0
no-convolution.top := 0
two-convolutions.title := two convolutions (K = 2)
two-convolutions.train = $(RECIPE) --layers 2
mean-neighbours.title := mean-pooling
mean-neighbours.train = $(RECIPE) --pooling mean
fresh-walks.title := neighbourhoods walked anew in each epoch
fresh-walks.kind := walked
signs.title := text projected by random signs, not LSA
signs.features := signs
no-degree.title := no degree
no-degree.features := no-degree
no-normalize.title := embeddings of any length
no-normalize.train = $(RECIPE) --no-normalize

# ---- its training, done in another way ----
RECIPE_TRAINING := recipe random-only in-batch-only popular-negatives no-logq margin-loss xent-loss hard-negatives \
	tau-.05 tau-.1 no-dropout no-decay more-decay exponential constant no-warmup patience
random-only.title := random negatives only
random-only.train = $(RECIPE) --in-batch no
in-batch-only.title := in-batch negatives only
in-batch-only.train = $(RECIPE) --negatives 0
popular-negatives.title := popular ones drawn oftener (.5)
popular-negatives.train = $(RECIPE) --popularity .5
no-logq.title := no logQ correction
no-logq.train = $(RECIPE) --no-logq
margin-loss.title := margin loss, hard negatives
margin-loss.train = $(RECIPE) --loss margin --hard 6
xent-loss.title := cross-entropy
xent-loss.train = $(RECIPE) --loss xent
hard-negatives.title := hard negatives beside the others
hard-negatives.train = $(RECIPE) --hard 6
tau-.05.title := temperature .05
tau-.05.train = $(RECIPE) --tau .05
tau-.1.title := temperature .1
tau-.1.train = $(RECIPE) --tau .1
no-dropout.title := no dropout
no-dropout.train = $(RECIPE) --dropout 0
no-decay.title := no weight decay
no-decay.train = $(RECIPE) --decay 0
more-decay.title := weight decay .1
more-decay.train = $(RECIPE) --decay .1
exponential.title := rate falls exponentially
exponential.train = $(RECIPE) --schedule exponential
constant.title := rate does not fall
constant.train = $(RECIPE) --schedule constant
no-warmup.title := no warm-up
no-warmup.train = $(RECIPE) --warmup 0
patience.title := 8 epochs, stopped early
patience.train = $(RECIPE) --epochs 8 --patience 1
RECIPE_ROWS := $(RECIPE_PARTS) $(filter-out recipe,$(RECIPE_TRAINING))
define recipe_row
$1.features ?= recipe
$1.terms ?= recipe
ifeq ($(origin $1.train),undefined)
$1.train = $$(RECIPE)
endif
endef
$(foreach r,$(RECIPE_ROWS),$(eval $(call recipe_row,$r)))

# ---- sweeps: neighbours and batch sizes, all else as in the row that they are named after ----
# $(call vary,ROW,NAME,OPTION,TOP): the row NAME is ROW with one more option of pstrain, or with other neighbourhoods.
define vary
$2.features := $($1.features)
$2.terms := $($1.terms)
$2.train = $$($1.train) $3
$2.top := $(or $4,$($1.top))
endef
$(foreach r,pinsage recipe,\
	$(foreach t,$(filter-out $(TOP),$(SWEEP_TOP)),$(eval $(call vary,$r,$r-T$t,,$t)))\
	$(foreach b,$(filter-out $(BATCH),$(SWEEP_BATCH)),$(eval $(call vary,$r,$r-B$b,--batch $b))))

# ---- which rows make which table: NAME.heading, NAME.rows ----
# make experiment shows the first one, make table1 the others.
comparison.heading := Held-out pairs
comparison.rows := $(BASELINES) pinsage recipe
# scripts/demo [--paper] shows this one.
demo.heading := Held-out pairs: what a package recommends, suggests or enhances
demo.rows := walk content knn $(if $(DEMO_PAPER),pinsage) recipe
TABLE1 := baselines paper recipe-parts recipe-training pinsage-T pinsage-B recipe-T recipe-B
baselines.heading := Baselines
baselines.rows := $(BASELINES)
paper.heading := The paper's ablation
paper.rows := content-256 mlp $(PAPER_ROWS)
recipe-parts.heading := psgraph's recipe and its parts
recipe-parts.rows := $(RECIPE_PARTS)
recipe-training.heading := psgraph's recipe, trained in another way
recipe-training.rows := $(RECIPE_TRAINING)
# In a sweep's table a row is called by what varies; .itself is its value in the row that it is named after.
$(foreach r,pinsage recipe,\
	$(eval $r-T.heading := Neighbours: $($r.title))\
	$(eval $r-T.rows := $(foreach t,$(SWEEP_TOP),$r$(if $(filter-out $(TOP),$t),-T$t)))\
	$(eval $r-T.varies := T)$(eval $r-T.itself := $(TOP))\
	$(eval $r-B.heading := Batch size: $($r.title))\
	$(eval $r-B.rows := $(foreach b,$(SWEEP_BATCH),$r$(if $(filter-out $(BATCH),$b),-B$b)))\
	$(eval $r-B.varies := B)$(eval $r-B.itself := $(BATCH)))

# What the paper claims of these rows: the first above the second.
CLAIMS := mlp>content-256 max-pool>mlp mean-pool>max-pool mean-pool>mean-pool-xent mean-pool-hard>mean-pool \
	pinsage>mean-pool-hard pinsage-T50>pinsage-T10

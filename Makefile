# psgraph: make, make check, make demo; make help lists the rest; see README.md.
#
# Nothing to configure: what the machine has is found by compiling a probe, and the result is printed.
#   CUDA=0      leave CUDA out            OPENBLAS=0  use the own products       ONEDNN=0  no bf16
#   CUDA_ARCHS="80 90"  architectures, with PTX of the last for later ones         NVCC=/usr/local/cuda/bin/nvcc
#   MPI=0       leave MPI out         NCCL=0  leave NCCL out        NCCL_HOME=FOLDER  its include/ and lib/, if CUDA does not have it
#   PREFIX=/usr/local  DESTDIR=          CC=clang    any C11 compiler

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION := $(shell sed -n 's/.*PS_VERSION "\(.*\)"/\1/p' lib/tool.h)
CC ?= cc
ifeq ($(origin CC),default)
CC := cc
endif
PREFIX ?= /usr/local
BINDIR = $(PREFIX)/bin
MANDIR = $(PREFIX)/share/man
LIBDIR = $(PREFIX)/lib
INCLUDEDIR = $(PREFIX)/include
BASHDIR = $(PREFIX)/share/bash-completion/completions
ZSHDIR = $(PREFIX)/share/zsh/site-functions

# ---- flavours: each has its own folder of objects ----
FLAVOUR ?= release
OUT := build/$(FLAVOUR)
# One name for one folder: the dependency files are written with it.
override OUT := $(patsubst $(CURDIR)/%,%,$(OUT))
WARN := -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wstrict-prototypes
OPT_release := -O3 -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fPIE
HARDEN_release := -pie -Wl,-z,relro,-z,now
OPT_asan := -O1 -fsanitize=address -fno-omit-frame-pointer
OPT_ubsan := -O1 -fsanitize=undefined -fno-sanitize-recover=all
OPT_tsan := -O1 -fsanitize=thread
OPT_coverage := -O1 -fprofile-instr-generate -fcoverage-mapping
OPT_double := -O2 -DPS_DOUBLE
OPT_plain := -O2
FUZZ_WITH ?= address,undefined
OPT_fuzz := -O1 -fsanitize=fuzzer-no-link,$(FUZZ_WITH) -fno-sanitize-recover=undefined -fno-omit-frame-pointer
CFLAGS ?= -g $(OPT_$(FLAVOUR))
LDFLAGS ?= $(HARDEN_$(FLAVOUR))
# Without contraction: what is computed outside the kernels must not depend on whether the compiler may use fused products.
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE -ffp-contract=off -fno-math-errno -fno-trapping-math $(WARN) $(CFLAGS) -Ilib -Ikernels $(DEFS)
LDLIBS = $(LIBS) $(if $(filter 0,$(ZLIB)),,-lz) -lm -lpthread

# ---- probes: what this machine can compile and link ----
no_probes := clean dist format help lint uninstall
ifneq ($(filter-out $(no_probes),$(or $(MAKECMDGOALS),all)),)
probe = $(shell t=$$(mktemp) && printf '%b' '$(1)' | $(CC) -x c - -o $$t $(2) >/dev/null 2>&1 && echo 1 || echo 0; rm -f $$t)
ZLIB := $(call probe,\0043include <zlib.h>\nint main(void){return !zlibVersion();}\n,-lz)
ifneq ($(or $(filter 1,$(ZLIB)),$(if $(filter-out gpu-check gpu-programs cuda-report,$(or $(MAKECMDGOALS),all)),,1)),1)
$(error zlib with its headers is needed (Debian: apt-get install zlib1g-dev))
endif
ifndef OPENBLAS
OPENBLAS := $(call probe,\0043include <cblas.h>\nint main(void){openblas_set_num_threads(1);return 0;}\n,-lopenblas)
endif
# Device code is float, and no sanitizer of the host's looks into it.
NVCC ?= $(shell command -v nvcc 2>/dev/null)
ifneq ($(FLAVOUR),release)
CUDA := 0
endif
ifndef CUDA
CUDA := $(if $(NVCC),$(shell d=$$(mktemp -d) && printf '\043include <cublas_v2.h>\n\043if CUDART_VERSION < 11080\n\043error\n\043endif\n__global__ void k(void){}\nint main(){k<<<1,1>>>();return CUBLAS_VER_MAJOR==0;}\n' >$$d/probe.cu && $(NVCC) $$d/probe.cu -o $$d/probe >/dev/null 2>&1 && echo 1 || echo 0; rm -rf $$d),0)
endif
ifeq ($(CUDA)$(NVCC),1)
$(error CUDA=1 needs nvcc: put it on the PATH or give NVCC=/usr/local/cuda/bin/nvcc)
endif
# NCCL adds up the gradients of several GPUs; without it MPI does, by the host.  Opened when it is needed, not linked.
ifndef NCCL
NCCL := $(if $(filter 1,$(CUDA)),$(shell d=$$(mktemp -d) && printf '\043include <nccl.h>\n\043if NCCL_VERSION_CODE < 21400\n\043error\n\043endif\n' >$$d/probe.cu && $(NVCC) $(NCCL_HOME:%=-I%/include) -E $$d/probe.cu -o /dev/null >/dev/null 2>&1 && echo 1 || echo 0; rm -rf $$d),0)
endif
# The tests run the device's code on the CPU (tests/cuda), if there is a C++ compiler and they are not of double or of threads.
CXX := $(if $(filter default,$(origin CXX)),g++,$(CXX))
EMULATION := $(if $(filter double tsan,$(FLAVOUR)),0,$(shell t=$$(mktemp) && printf '\043include <tuple>\nint main(){return 0;}\n' | $(CXX) -std=c++17 -x c++ - -o $$t >/dev/null 2>&1 && echo 1 || echo 0; rm -f $$t))
# ThreadSanitizer sees no order in what a library does that was built without it.
ifeq ($(FLAVOUR),tsan)
ONEDNN := 0
endif
ifndef ONEDNN
ONEDNN := $(call probe,\0043include <oneapi/dnnl/dnnl.h>\nint main(void){dnnl_matmul_desc_t d;return sizeof d == DNNL_VERSION_MAJOR;}\n,)
endif
# OpenMPI's compiler driver knows where its headers are.  ThreadSanitizer has to see all that is linked.
MPI_CFLAGS := $(shell mpicc --showme:compile 2>/dev/null)
ifneq ($(filter tsan double fuzz,$(FLAVOUR)),)
MPI := 0
endif
ifndef MPI
MPI := $(call probe,\0043include <mpi.h>\n\0043ifndef OMPI_MAJOR_VERSION\n\0043error\n\0043endif\nint main(void){return sizeof(MPI_Request) != sizeof(void*);}\n,$(MPI_CFLAGS))
endif
AVX2 := $(call probe,int main(void){return 0;}\n,-mavx2 -mfma)
AVX512 := $(call probe,int main(void){return 0;}\n,-mavx512f -mavx512bw -mavx512vl -mavx512dq)
VNNI := $(call probe,int main(void){return 0;}\n,-mavx512f -mavx512vnni)
ifeq ($(MAKELEVEL),0)
$(info zlib $(if $(filter 0,$(ZLIB)),no,yes), OpenBLAS $(if $(filter 1,$(OPENBLAS)),yes,no (own products serve)), CUDA $(if $(filter 1,$(CUDA)),yes,no), NCCL $(if $(filter 1,$(NCCL)),yes,no), AVX2 kernels $(if $(filter 1,$(AVX2)),yes,no), AVX-512 kernels $(if $(filter 1,$(AVX512)),yes,no), VNNI kernels $(if $(filter 1,$(VNNI)),yes,no), oneDNN $(if $(filter 1,$(ONEDNN)),yes,no (no bf16)), OpenMPI $(if $(filter 1,$(MPI)),yes,no))
endif
endif
DEFS := $(if $(filter 0,$(ZLIB)),-Itests/cuda/no_zlib) $(if $(filter 1,$(OPENBLAS)),-DPS_OPENBLAS) $(if $(filter 1,$(AVX2)),-DPS_AVX2) $(if $(filter 1,$(AVX512)),-DPS_AVX512) \
	$(if $(filter 1,$(VNNI)),-DPS_VNNI) $(if $(filter 1,$(ONEDNN)),-DPS_ONEDNN) $(if $(filter 1,$(MPI)),-DPS_MPI $(MPI_CFLAGS:-I%=-isystem %))
# OpenMPI is opened when mpirun starts pstrain, not linked: alone, pstrain needs none, and starts no slower.
# oneDNN is opened when bf16 is asked for, not linked: few runs need it, and it is large.
# So is OpenBLAS: it starts threads, which spin for a while, and with little address space it does not come to an end.
LIBS := -Wl,--as-needed -ldl
export OPENBLAS ONEDNN MPI CC
ifeq ($(FLAVOUR),release)
export CUDA NCCL
endif

# ---- what CUDA needs ----
# The runtime is linked into the tools, the driver and cuBLAS are opened when a device is.
CUDA_ARCHS ?= 80 90
NVCC_FLAGS ?= -O3 --threads 0
CUDA_TARGETS = $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$(a),code=sm_$(a)) \
	-gencode arch=compute_$(lastword $(CUDA_ARCHS)),code=compute_$(lastword $(CUDA_ARCHS))
ifeq ($(CUDA),1)
CUDA_LIBRARIES := $(shell p=$$(readlink -f "$(NVCC)"); d=$${p%/bin/*}; for l in "$$d/lib64" "$$d/targets/x86_64-linux/lib" "$$d/lib"; do [ -e "$$l/libcudart_static.a" ] && echo "$$l" && break; done)
LIBS += $(or $(CUDA_LIBRARIES:%=%/libcudart_static.a),-lcudart_static) -lrt
endif
NCCL_FLAGS = $(if $(filter 1,$(NCCL)),-DPS_NCCL -DPS_NCCL_LIBRARIES='"$(or $(NCCL_HOME:%=%/lib),$(CUDA_LIBRARIES))"' $(NCCL_HOME:%=-I%/include))

# ---- what is built ----
TOOLS := $(patsubst tools/%.c,%,$(wildcard tools/*.c))
BINS := $(TOOLS:%=$(OUT)/bin/%)
KERNELS := $(filter-out %_avx2.c %_avx512.c %_vnni.c $(if $(filter 1,$(CUDA)),kernels/dev_none.c),$(wildcard kernels/*.c)) \
	$(if $(filter 1,$(AVX2)),$(wildcard kernels/*_avx2.c)) $(if $(filter 1,$(AVX512)),$(wildcard kernels/*_avx512.c)) \
	$(if $(filter 1,$(VNNI)),$(wildcard kernels/*_vnni.c))
DEVICE := $(wildcard kernels/*.cu)
LIB_OBJS := $(patsubst %.c,$(OUT)/obj/%.o,$(wildcard lib/*.c) $(KERNELS) $(if $(filter 0,$(ZLIB)),tests/cuda/no_zlib/zlib.c)) \
	$(if $(filter 1,$(CUDA)),$(DEVICE:%=$(OUT)/obj/%.o))
UNITS := $(patsubst tests/unit/%.c,$(OUT)/test/%,$(wildcard tests/unit/t_*.c)) \
	$(if $(filter 1,$(EMULATION)),$(addprefix $(OUT)/test/emulated/,pstrain psembed bench))
BENCHES := $(patsubst tests/bench/%.c,$(OUT)/bench/%,$(wildcard tests/bench/*.c))
FUZZERS := $(patsubst tests/fuzz/%.c,$(OUT)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
SOURCES := $(wildcard lib/*.c kernels/*.c tools/*.c tests/unit/*.c tests/fuzz/*.c tests/bench/*.c)
SOURCES += tests/cuda/no_zlib/zlib.c tests/cuda/bench.c tests/cuda/bench_operations.c tests/faults/shim.c
HEADERS := $(wildcard lib/*.h kernels/*.h tests/unit/*.h tests/fuzz/*.h tests/cuda/*.h) kernels/dev_cuda.cuh
PAGES := $(wildcard man/*.[1-9])

.PHONY: afl fuzz-coverage load cuda-report gpu-check gpu-programs all units benches fuzzers check coverage same demo experiment table1 so-far asan ubsan tsan fuzz bench faults lint format install uninstall dist deb clean help
all: $(BINS)

# A kernel is for what its name says, also where CFLAGS has -march=native.
KERNEL := $(if $(filter 1,$(AVX2)),-march=x86-64)
$(OUT)/obj/kernels/%_plain.o: ISA := $(KERNEL)
$(OUT)/obj/kernels/%_avx2.o: ISA := $(KERNEL) -mavx2 -mfma -ffp-contract=fast
$(OUT)/obj/kernels/%_avx512.o: ISA := $(KERNEL) -mavx512f -mavx512bw -mavx512vl -mavx512dq -mfma -mprefer-vector-width=512 -ffp-contract=fast
$(OUT)/obj/kernels/%_vnni.o: ISA := $(KERNEL) -mavx512f -mavx512vnni -ffp-contract=fast
# What the objects were compiled with: they are made again when a probe finds something else, or a setting changes.
FLAGS_FILE := $(OUT)/flags
ifeq ($(filter $(no_probes),$(MAKECMDGOALS)),)
flags_now = $(CC) $(ALL_CFLAGS) $(LDFLAGS) $(LDLIBS) CUDA=$(CUDA) NCCL=$(NCCL) $(if $(filter 1,$(CUDA)),$(NVCC) $(NVCC_FLAGS) $(CUDA_TARGETS) $(NCCL_FLAGS))
ifneq ($(strip $(file <$(FLAGS_FILE))),$(strip $(flags_now)))
$(shell mkdir -p $(OUT))
$(file >$(FLAGS_FILE),$(flags_now))
endif
endif
$(OUT)/obj/%.o: %.c Makefile $(FLAGS_FILE)
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(ISA) -MMD -MP -c $< -o $@
$(OUT)/libpsgraph.a: $(LIB_OBJS)
	@rm -f $@
	@$(AR) rcs $@ $^
$(OUT)/bin/%: $(OUT)/obj/tools/%.o $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) $< $(OUT)/libpsgraph.a $(LDLIBS) -o $@
$(OUT)/test/%: $(OUT)/obj/tests/unit/%.o $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) $< $(OUT)/libpsgraph.a $(LDLIBS) -o $@
$(OUT)/bench/%: $(OUT)/obj/tests/bench/%.o $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) $(LDFLAGS) $< $(OUT)/libpsgraph.a $(LDLIBS) -o $@
$(OUT)/fuzz/fuzz_options: LDFLAGS += -Wl,--wrap=exit,--wrap=ps_sandbox
$(OUT)/fuzz/%: $(OUT)/obj/tests/fuzz/%.o $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CC) $(ALL_CFLAGS) -fsanitize=fuzzer $(LDFLAGS) $< $(OUT)/libpsgraph.a $(LDLIBS) -o $@

# ---- CUDA ----
# What ptxas says of each kernel stays beside the object: make cuda-report.
$(OUT)/obj/%.cu.o: %.cu kernels/dev_cuda.cuh kernels/device.h kernels/gemm.h kernels/vec.h kernels/real.h lib/par.h lib/err.h Makefile $(FLAGS_FILE)
	@mkdir -p $(@D)
	@echo $(NVCC) -c $< -o $@
	@$(NVCC) -std=c++17 $(NVCC_FLAGS) $(CUDA_TARGETS) -Xptxas -v -Xcompiler -fPIE,-Wall,-Wextra,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics \
		-DPS_CUDA_LIBRARIES='"$(CUDA_LIBRARIES)"' $(NCCL_FLAGS) -Ilib -Ikernels -c $< -o $@ 2>$(@:.o=.ptxas) || { cat $(@:.o=.ptxas); exit 1; }
	@grep -v -e '^ptxas info' -e 'bytes stack frame' -e '^$$' -e '^tmpxft' $(@:.o=.ptxas) || true
cuda-report: $(DEVICE:%=$(OUT)/obj/%.o)
	@scripts/cuda-report $(DEVICE:%=$(OUT)/obj/%.ptxas)

# The very same files over tests/cuda, and whatever is linked with them instead of the archive's.
EMULATED := $(DEVICE:%.cu=$(OUT)/obj/tests/cuda/%.o) $(patsubst %,$(OUT)/obj/tests/cuda/%.o,emulator cublas nccl planted)
# Coroutines come and go: a second stack for each, as the address sanitizer would have it, takes minutes.
EMULATED_FLAGS = $(if $(filter asan,$(FLAVOUR)),--param asan-use-after-return=0) -std=c++17 -g $(if $(filter release plain,$(FLAVOUR)),-O2,$(OPT_$(FLAVOUR))) -Wall -Wextra -Wno-unknown-pragmas \
	-DPS_NCCL -Itests/cuda -Ilib -Ikernels
$(OUT)/obj/tests/cuda/kernels/%.o: kernels/%.cu Makefile
	@mkdir -p $(@D)
	$(CXX) -x c++ $(EMULATED_FLAGS) -MMD -MP -c $< -o $@
$(OUT)/obj/tests/cuda/planted.o: tests/cuda/planted.cu Makefile
	@mkdir -p $(@D)
	$(CXX) -x c++ $(EMULATED_FLAGS) -MMD -MP -c $< -o $@
$(OUT)/obj/tests/cuda/%.o: tests/cuda/%.cc Makefile
	@mkdir -p $(@D)
	$(CXX) $(EMULATED_FLAGS) -MMD -MP -c $< -o $@
ifeq ($(EMULATION),1)
$(OUT)/test/t_cuda_%: $(OUT)/obj/tests/unit/t_cuda_%.o $(EMULATED) $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CXX) $(filter-out -std=gnu11 -Wstrict-prototypes,$(ALL_CFLAGS)) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(OUT)/test/emulated/%: $(OUT)/obj/tools/%.o $(EMULATED) $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CXX) $(filter-out -std=gnu11 -Wstrict-prototypes,$(ALL_CFLAGS)) $(LDFLAGS) $^ $(LDLIBS) -o $@
$(OUT)/test/emulated/bench: $(OUT)/obj/tests/cuda/bench.o $(OUT)/obj/tests/cuda/bench_operations.o $(EMULATED) $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(CXX) $(filter-out -std=gnu11 -Wstrict-prototypes,$(ALL_CFLAGS)) $(LDFLAGS) $^ $(LDLIBS) -o $@
else
$(OUT)/test/t_cuda_%: Makefile
	@mkdir -p $(@D)
	@printf '#!/bin/sh\necho "CUDA on the CPU needs g++, and none of the flavours double and tsan"\nexit 77\n' >$@ && chmod +x $@
endif

# A machine with a GPU: needs nothing more than gcc, make, nvcc and cuBLAS; without zlib, its CRC is ours.
gpu-check:
	$(MAKE) -j "$$(nproc)" CUDA=1 FLAVOUR=release OUT=build/gpu gpu-programs
	tests/gpu-check build/gpu
GPU_TESTS := $(patsubst tests/unit/%.c,%,$(wildcard tests/unit/t_cuda_*.c))
gpu-programs: $(GPU_TESTS:%=$(OUT)/gpu/%) $(OUT)/gpu/bench
# The same over tests/cuda, with CUDA=0: what gpu-check needs is tried without a GPU (tests/cases/gpu-check-bare.sh).
GPU_DEVICE := $(if $(filter 1,$(CUDA)),,$(EMULATED))
GPU_LINK = $(if $(GPU_DEVICE),$(CXX) $(filter-out -std=gnu11 -Wstrict-prototypes,$(ALL_CFLAGS)),$(CC) $(ALL_CFLAGS)) $(LDFLAGS)
$(OUT)/gpu/t_cuda_%: $(OUT)/obj/tests/unit/t_cuda_%.o $(GPU_DEVICE) $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(GPU_LINK) $^ $(LDLIBS) -o $@
GPU_BENCH := $(OUT)/obj/tests/cuda/bench.o $(OUT)/obj/tests/cuda/bench_operations.o
$(OUT)/gpu/bench: $(GPU_BENCH) $(GPU_DEVICE) $(OUT)/libpsgraph.a
	@mkdir -p $(@D)
	$(GPU_LINK) $^ $(LDLIBS) -o $@
.SECONDARY:
-include $(shell find $(OUT)/obj -name '*.d' 2>/dev/null)

units: $(UNITS) $(OUT)/test/shim.so
benches: $(BENCHES)
fuzzers: $(FUZZERS)

# ---- tests ----
# Preloaded by tests/faults/inject.py.
$(OUT)/test/shim.so: tests/faults/shim.c Makefile
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -g -O1 $(WARN) -fno-builtin -fPIC -shared $< -o $@ -ldl
# Every call of the system made to fail, one at a time, under every tool's small jobs: minutes; then a hundred kills.
faults: all $(OUT)/test/shim.so
	d=$$(mktemp -d) && cd $$d && python3 $(CURDIR)/tests/faults/inject.py $(abspath $(OUT))/bin $(abspath $(OUT))/test/shim.so $(FAULT_ARGS) && \
		python3 $(CURDIR)/tests/faults/scripts.py $(abspath $(OUT))/bin $(abspath $(OUT))/test/shim.so && \
		python3 $(CURDIR)/tests/faults/crash.py $(abspath $(OUT))/bin --kills 100 && \
		python3 $(CURDIR)/tests/faults/lies.py $(abspath $(OUT))/bin && rm -r $$d
# The tools that answer line by line, under a million good and bad lines.
load: all
	d=$$(mktemp -d) && cd $$d && python3 $(CURDIR)/tests/faults/load.py $(abspath $(OUT))/bin 1000000 && rm -r $$d
check:
	+tests/run --flavour $(FLAVOUR) --out $(OUT)
demo: all
	scripts/demo --no-setup
asan ubsan tsan:
	+tests/run --flavour $@
# Which lines and branches they run, by clang.
coverage:
	+tests/coverage
# Builds by other compilers and settings compute the same.
same:
	+tests/builds

# libFuzzer comes with clang (Debian: apt-get install clang libclang-rt-14-dev).
FUZZ_SECONDS ?= 60
fuzz: all
	$(MAKE) FLAVOUR=fuzz OUT=build/fuzz CC=clang fuzzers
	tests/fuzz/run --bin $(OUT)/bin --seconds $(FUZZ_SECONDS) --corpus build/fuzz/corpus build/fuzz/fuzz/fuzz_*
# Which lines of the readers they run.
fuzz-coverage: all
	tests/fuzz/coverage $(OUT)/bin $(wildcard build/fuzz/corpus)
# The same entry points under AFL++ (Debian: apt-get install afl++); NAME: the harness; until it is stopped.
NAME ?= records
afl: all
	$(MAKE) FLAVOUR=fuzz OUT=build/afl CC=afl-clang-fast OPT_fuzz=-O1 build/afl/fuzz/fuzz_$(NAME)
	tests/fuzz/run --bin $(OUT)/bin --corpus build/afl/seeds --seeds-only
	AFL_SKIP_CPUFREQ=1 AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 afl-fuzz $(AFL_ARGS) -i build/afl/seeds/$(NAME) -o build/afl/out-$(NAME) -- build/afl/fuzz/fuzz_$(NAME)
bench: all $(OUT)/bench/sgemm
	tests/bench/run $(OUT)/bin
	tests/bench/train $(OUT)

# ---- experiments: psexperiment(7) ----
DATA ?= tests/data/debian
experiment table1: all
# Each folder of DATA has its own tables; with -k one that fails does not keep the others from theirs.
experiments = $(foreach d,$(DATA),$(MAKE) -f scripts/experiment.mk --no-print-directory BIN=$(OUT)/bin DATA=$d $1 || \
	$(if $(findstring k,$(firstword -$(MAKEFLAGS))),failed=1,exit 1);) exit $${failed:-0}
experiment table1:
	+@$(call experiments,OUTPUT=$@)
# What there is by now of a table, that of OUTPUT.
so-far:
	+@$(call experiments,OUTPUT=$(or $(OUTPUT),table1) so-far)

# ---- the source ----
lint:
	scripts/lint
format:
	clang-format -i $(SOURCES) $(HEADERS)

# ---- installing ----
section = $(patsubst .%,%,$(suffix $(1)))
INSTALLED := $(DESTDIR)$(LIBDIR)/libpsgraph.a $(DESTDIR)$(LIBDIR)/pkgconfig/psgraph.pc $(DESTDIR)$(INCLUDEDIR)/psgraph.h \
	$(TOOLS:%=$(DESTDIR)$(BINDIR)/%) $(TOOLS:%=$(DESTDIR)$(BASHDIR)/%) $(DESTDIR)$(ZSHDIR)/_psgraph \
	$(foreach p,$(PAGES),$(DESTDIR)$(MANDIR)/man$(call section,$(p))/$(notdir $(p)))
install: all
	install -d $(sort $(dir $(INSTALLED)))
	install -m 755 $(BINS) $(DESTDIR)$(BINDIR)
	install -m 644 $(OUT)/libpsgraph.a $(DESTDIR)$(LIBDIR)
	install -m 644 lib/psgraph.h $(DESTDIR)$(INCLUDEDIR)
	printf '%s\n' 'prefix=$(PREFIX)' 'includedir=$(INCLUDEDIR)' 'libdir=$(LIBDIR)' '' 'Name: psgraph' 'Version: $(VERSION)' \
		'Description: recommendations from a graph of items and collections' 'Cflags: -I$${includedir}' \
		'Libs: -L$${libdir} -lpsgraph $(LDLIBS)' >$(DESTDIR)$(LIBDIR)/pkgconfig/psgraph.pc
	chmod 644 $(DESTDIR)$(LIBDIR)/pkgconfig/psgraph.pc
	install -m 644 scripts/completion.zsh $(DESTDIR)$(ZSHDIR)/_psgraph
	install -m 644 scripts/completion.bash $(DESTDIR)$(BASHDIR)/$(firstword $(TOOLS))
	cd $(DESTDIR)$(BASHDIR) && $(foreach t,$(filter-out $(firstword $(TOOLS)),$(TOOLS)),ln -sf $(firstword $(TOOLS)) $(t) &&) true
	$(foreach p,$(PAGES),install -m 644 $(p) $(DESTDIR)$(MANDIR)/man$(call section,$(p)) &&) true
uninstall:
	rm -f $(INSTALLED)
dist:
	@mkdir -p build
	git archive --format=tar.gz --prefix=psgraph-$(VERSION)/ -o build/psgraph-$(VERSION).tar.gz HEAD
deb: all
	scripts/make-deb $(OUT)
clean:
	rm -rf build

define HELP
make              the tools, in build/release/bin
make check        every test; also asan, ubsan, tsan: the same under a sanitizer
make demo         the tour on the embedded data
make experiment   psgraph beside its baselines on DATA=FOLDER of your own: table and plots (man/psexperiment.7)
make table1       the paper's ablation and the recipe's, three seeds; make so-far: what there is of it by now
make fuzz         each reader on random input, FUZZ_SECONDS=60 each (clang); make afl NAME=records: one under AFL++
make faults       every call of the system made to fail, one at a time, under every tool; kills; full disks; lies
make load         a million good and bad lines to the tools that answer line by line
make bench        what each tool takes on the embedded data, and a training step at several sizes
make gpu-check    on a machine with a GPU: every CUDA kernel and ten steps of training tested, then a benchmark
make cuda-report  registers, shared memory and spills of every CUDA kernel (nvcc)
make lint         gcc -fanalyzer, cppcheck, clang-tidy, mandoc -T lint;  make format: clang-format
make coverage     lines and branches that the tests run (clang, llvm); make fuzz-coverage: that the fuzzed inputs run of the readers
make same         gcc and clang, -O0 and -O3 -march=native: programs that give the same bytes
make install      tools, manual pages, completions, library to DESTDIR= PREFIX=/usr/local; uninstall
make dist         build/psgraph-$(VERSION).tar.gz of what is committed
make deb          build/psgraph_$(VERSION)_ARCH.deb, a Debian package (dpkg-dev)
make clean        removes build/
Settings: CC=clang  CUDA=0|1  CUDA_ARCHS="80 90"  NCCL=0  OPENBLAS=0  ONEDNN=0  MPI=0  FLAVOUR=release|asan|ubsan|tsan|double|plain  OUT=build/FLAVOUR
endef
help:
	$(info $(HELP))@:

/* emulator.h - what a test may ask of CUDA on the CPU.  The environment: EMULATOR_MEMORY, bytes of the device (default
 * 4 GiB); EMULATOR_FAULT, no-driver, old-driver, no-device or old-gpu: how the machine lacks a GPU;
 * cannot-join: NCCL does not find the other ranks; lost-rank: one is gone when the first sum has begun; dies: this
 * rank's device stops then; EMULATOR_SEED. */
#ifndef EMULATOR_H
#define EMULATOR_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Another order of threads and streams from here on. */
void emulator_seed(uint64_t seed);

/* Buffers of device memory beside which something was written; each is reported on stderr. */
int emulator_overruns(void);

/* Bytes of device memory in use, and blocks that have run. */
uint64_t emulator_memory(void);
uint64_t emulator_blocks(void);

#ifdef __cplusplus
}
#endif

#endif

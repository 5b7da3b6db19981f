/* Vectors of floats (F, FL lanes) and doubles (D, DL lanes): AVX-512, AVX2, or what any compiler can do.
 * The same function gives the same bits in all three. -DSTDP_PLAIN asks for the third. */
#ifndef STDP_LANES_H
#define STDP_LANES_H
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))
#define GOLDEN 0x9E3779B97F4A7C15u
#define FIRST 0xBF58476D1CE4E5B9u
#define SECOND 0x94D049BB133111EBu

/* The finalizer of SplitMix64. */
INLINE uint64_t mix(uint64_t z) {
    z = (z ^ (z >> 30)) * FIRST;
    z = (z ^ (z >> 27)) * SECOND;
    return z ^ (z >> 31);
}

/* Uniform number in [0, 1) of element e of a stream, as spikequant.counter_rng. */
INLINE double uniform(uint64_t stream, uint64_t e) {
    return (double)(int64_t)(mix(stream + GOLDEN * (e + 1)) >> 11) * 0x1p-53;
}

#if !defined(STDP_PLAIN) && defined(__AVX512F__) && defined(__AVX512DQ__) && defined(__AVX512BW__) && defined(__BMI2__)
#include "lanes_avx512.h"
#elif !defined(STDP_PLAIN) && defined(__AVX2__)
#include "lanes_avx2.h"
#else
#include "lanes_plain.h"
#endif
#endif

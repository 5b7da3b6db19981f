/* Input spikes as lists of inputs in ascending order, four steps at a time; see spikequant.rate_coding. */
#ifndef STDP_ENCODE_H
#define STDP_ENCODE_H
#include "job.h"
#include "lanes.h"

enum { STRIP = 4 };  /* steps that one 64-bit number decides */

typedef struct {
    const uint8_t *bytes;      /* the image, or given spikes (steps, inputs) */
    int pixels;                /* that can spike */
    int32_t *pixel;            /* which */
    uint64_t *start;           /* counter of its first strip */
    uint64_t *limit;           /* threshold - 1, four times 16 bits */
} Source;

INLINE uint64_t image_hash(const uint8_t *image, int64_t size, uint64_t hash) {
    for (int64_t at = 0; at < size; at += 8) {
        uint64_t word = 0;
        for (int64_t byte = 0; byte < 8 && at + byte < size; byte++) word |= (uint64_t)image[at + byte] << (8 * byte);
        hash = mix(hash ^ word);
    }
    return hash;
}

static void open_source(const Job *job, Source *source, const uint8_t *bytes) {
    uint64_t hash = job->coding == POISSON ? image_hash(bytes, job->inputs, job->stream) : 0;
    uint64_t strips = (uint64_t)(job->steps + STRIP - 1) / STRIP;
    int n = 0;
    source->bytes = bytes;
    if (job->coding != GIVEN)
        for (int64_t i = 0; i < job->inputs; i++) {
            uint32_t threshold = job->thresholds[bytes[i]];
            if (!threshold) continue;
            source->pixel[n] = (int32_t)i;
            source->start[n] = hash + GOLDEN * ((uint64_t)i * strips + 1);
            source->limit[n++] = (threshold - 1) * (uint64_t)0x0001000100010001;
        }
    source->pixels = n;
}

#ifdef STDP_AVX512
static void poisson_strip(const Source *source, uint64_t strip, int32_t *const *list, int *count) {
    const __m512i step = _mm512_set1_epi64((long long)(GOLDEN * strip));
    for (int p = 0; p < source->pixels; p += 16) {
        uint64_t bits = 0;
        for (int half = 0; half < 2; half++) {
            __m512i z = _mm512_add_epi64(_mm512_loadu_si512(source->start + p + 8 * half), step);
            __m512i limit = _mm512_loadu_si512(source->limit + p + 8 * half);
            bits |= (uint64_t)_mm512_cmple_epu16_mask(mix_lanes(z), limit) << (32 * half);
        }
        if (source->pixels - p < 16) bits &= ((uint64_t)1 << (4 * (source->pixels - p))) - 1;
        __m512i pixel = _mm512_loadu_si512(source->pixel + p);
        for (int s = 0; s < STRIP; s++) {
            unsigned which = (unsigned)_pext_u64(bits, (uint64_t)0x1111111111111111 << s);
            _mm512_storeu_si512(list[s] + count[s], _mm512_maskz_compress_epi32((__mmask16)which, pixel));
            count[s] += __builtin_popcount(which);
        }
    }
}
#else
static void poisson_strip(const Source *source, uint64_t strip, int32_t *const *list, int *count) {
    for (int p = 0; p < source->pixels; p++) {
        uint64_t z = mix(source->start[p] + GOLDEN * strip);
        uint16_t limit = (uint16_t)source->limit[p];
        for (int s = 0; s < STRIP; s++) {
            list[s][count[s]] = source->pixel[p];
            count[s] += (uint16_t)(z >> (16 * s)) <= limit;
        }
    }
}
#endif

/* The inputs that spike at steps 4*strip .. 4*strip + 3; a list has room for 16 more than all inputs. */
static void encode(const Job *job, const Source *source, int64_t strip, int32_t *const *list, int *count) {
    for (int s = 0; s < STRIP; s++) count[s] = 0;
    if (job->coding == POISSON) {
        poisson_strip(source, (uint64_t)strip, list, count);
        return;
    }
    for (int s = 0; s < STRIP && strip * STRIP + s < job->steps; s++) {
        int64_t t = strip * STRIP + s;
        if (job->coding == GIVEN) {
            for (int64_t i = 0; i < job->inputs; i++)
                if (source->bytes[t * job->inputs + i]) list[s][count[s]++] = (int32_t)i;
        } else {
            for (int p = 0; p < source->pixels; p++) {
                int32_t i = source->pixel[p];
                if (job->regular[source->bytes[i] * job->steps + t]) list[s][count[s]++] = i;
            }
        }
    }
}
#endif

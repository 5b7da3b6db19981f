/* Sums of rows of weights: what arrives at the neurons. */
#ifndef STDP_SUMS_H
#define STDP_SUMS_H
#include "grid.h"
#include "job.h"
#include "lanes.h"

INLINE void sum_block(const float *w, int64_t width, const int32_t *row, int rows, float *sum, const int block) {
    F total[BLOCK];
    for (int k = 0; k < block; k++) total[k] = f_set(0.0f);
    for (int r = 0; r < rows; r++) {
        const float *at = w + row[r] * width;
#pragma GCC unroll 32
        for (int k = 0; k < block; k++) total[k] = f_add(total[k], f_load(at + k * FL));
    }
    for (int k = 0; k < block; k++) f_store(sum + k * FL, total[k]);
}

/* sum[j] = sum over the given rows, in their order, starting from 0. */
static void sum_rows(const float *w, int64_t width, const int32_t *row, int rows, float *sum) {
    int64_t j = 0;
    for (; j + BLOCK * FL <= width; j += BLOCK * FL) sum_block(w + j, width, row, rows, sum + j, BLOCK);
    for (; j + 4 * FL <= width; j += 4 * FL) sum_block(w + j, width, row, rows, sum + j, 4);
    for (; j < width; j += FL) sum_block(w + j, width, row, rows, sum + j, 1);
}

/* The same in doubles, for sums on a grid that a float may not hold; `sum` gets them as floats. */
static void sum_rows_wide(const float *w, int64_t width, const int32_t *row, int rows, double *wide, float *sum) {
    for (int64_t j = 0; j < width; j++) wide[j] = 0.0;
    for (int r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) wide[j] += (double)w[row[r] * width + j];
    for (int64_t j = 0; j < width; j++) sum[j] = (float)wide[j];
}

/* Rows rounded stochastically, each element for this one use. */
#ifdef STDP_AVX512
/* Fixed point with `fraction` bits behind the point: (ratio - chance) >> fraction is the code less one, or not less one
 * where the chance is below the rest. Cut off as they are, both may be equal; then draw with all bits. */
INLINE void draw_block(const Job *job, const Grid *grid, const float *w, int64_t at, const int32_t *row, int rows,
                       uint64_t stream, float *sum, const int block) {
    int whole;
    frexp((double)job->w_max * grid->scale, &whole);
    const int fraction = whole < 6 ? 24 : 30 - whole; /* sum_drawn makes sure that it is at least 1 */
    const F scale = f_set((float)ldexp(grid->scale, fraction));
    const __m512i most = _mm512_set1_epi32((int)grid->high - 1), rest = _mm512_set1_epi32((1 << fraction) - 1);
    const __m128i low = _mm_cvtsi32_si128(fraction), even = _mm_cvtsi32_si128(64 - fraction);
    const __m128i odd = _mm_cvtsi32_si128(32 - fraction);
    __m512i total[5];
    for (int k = 0; k < block; k++) total[k] = _mm512_set1_epi32(rows);
    for (int r = 0; r < rows; r++) {
        const float *from = w + row[r] * job->padded + at;
        const From draws = draw_from(stream, (uint64_t)(row[r] * job->neurons + at));
#pragma GCC unroll 5
        for (int k = 0; k < block; k++) {
            const __m512i skip = _mm512_set1_epi64((long long)(GOLDEN * (uint64_t)(16 * k)));
            const __m512i evens = mix_upper(_mm512_add_epi64(draws.even, skip));
            const __m512i odds = mix_upper(_mm512_add_epi64(draws.odd, skip));
            const __m512i chance = _mm512_mask_srl_epi32(_mm512_srl_epi64(evens, even), 0xAAAA, odds, odd);
            const __m512i ratio = _mm512_cvttps_epi32(f_mul(f_load(from + k * FL), scale));
            const __m512i gap = _mm512_sub_epi32(ratio, chance);
            __m512i code = _mm512_sra_epi32(gap, low);
            if (__builtin_expect(_mm512_testn_epi32_mask(gap, rest), 0)) {
                F whole_code = f_code(grid, f_load(from + k * FL), DRAWN, stream,
                                      (uint64_t)(row[r] * job->neurons + at + k * FL));
                code = _mm512_sub_epi32(_mm512_cvtps_epi32(whole_code), _mm512_set1_epi32(1));
            }
            total[k] = _mm512_add_epi32(total[k], _mm512_min_epi32(code, most));
        }
    }
    for (int k = 0; k < block; k++)
        f_store(sum + at + k * FL, f_mul(_mm512_cvtepi32_ps(total[k]), f_set((float)grid->step)));
}
#else
INLINE void draw_block(const Job *job, const Grid *grid, const float *w, int64_t at, const int32_t *row, int rows,
                       uint64_t stream, float *sum, const int block) {
    const F scale = f_set((float)grid->scale), high = f_set((float)grid->high);
    F total[5];
    for (int k = 0; k < block; k++) total[k] = f_set(0.0f);
    for (int r = 0; r < rows; r++) {
        const float *from = w + row[r] * job->padded + at;
        const From draws = draw_from(stream, (uint64_t)(row[r] * job->neurons + at));
#pragma GCC unroll 5
        for (int k = 0; k < block; k++) {
            F ratio = f_mul(f_load(from + k * FL), scale), code = f_floor(ratio);
            total[k] = f_add(total[k], f_min(f_drawn(code, f_sub(ratio, code), draws, k), high));
        }
    }
    for (int k = 0; k < block; k++) f_store(sum + at + k * FL, f_mul(total[k], f_set((float)grid->step)));
}
#endif

/* The sum of rows that are rounded stochastically for this one use; no code wraps, and a float holds the sum. */
static __attribute__((unused)) void sum_drawn(const Job *job, const Grid *grid, const float *w, const int32_t *row,
                                              int rows, uint64_t stream, float *sum) {
    int64_t j = 0;
    for (; j + 5 * FL <= job->padded; j += 5 * FL) draw_block(job, grid, w, j, row, rows, stream, sum, 5);
    for (; j < job->padded; j += FL) draw_block(job, grid, w, j, row, rows, stream, sum, 1);
}

/* The same where codes wrap or a float may not hold the sum. */
static __attribute__((unused)) void sum_drawn_wide(const Job *job, const Grid *grid, const float *w,
                                                   const int32_t *row, int rows, uint64_t stream, double *wide,
                                                   float *sum) {
    for (int64_t j = 0; j < job->padded; j++) wide[j] = 0.0;
    for (int r = 0; r < rows; r++)
        for (int64_t j = 0; j < job->neurons; j++) {
            const uint64_t e = (uint64_t)(row[r] * job->neurons + j);
            wide[j] += code_of(grid, (double)w[row[r] * job->padded + j], stream, e) * grid->step;
        }
    for (int64_t j = 0; j < job->padded; j++) sum[j] = (float)wide[j];
}
#endif

/* Sums of rows of weights. */
#ifndef STDP_SUMS_H
#define STDP_SUMS_H
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

/* The same in doubles, for sums on a grid that a float does not hold; `sum` gets them as floats. */
static __attribute__((unused)) void sum_rows_wide(const float *w, int64_t width, const int32_t *row, int rows,
                                                  double *wide, float *sum) {
    for (int64_t j = 0; j < width; j++) wide[j] = 0.0;
    for (int r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) wide[j] += (double)w[row[r] * width + j];
    for (int64_t j = 0; j < width; j++) sum[j] = (float)wide[j];
}
#endif

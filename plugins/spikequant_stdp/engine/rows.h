/* Rows of weights: their sum, and one step of learning fused with the sum for the next step. */
#ifndef STDP_ROWS_H
#define STDP_ROWS_H
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

/* max(x, 0) to the power of mu; below 0 is only the room above a weight that normalisation left above w_max */
INLINE F power(const Job *job, const int rule, F x) {
    x = f_max(x, f_set(0.0f));
    if (rule == LINEAR) return x;
    if (rule == SQUARE) return f_mul(x, x);
    if (rule == ROOT) return f_sqrt(x);
    F entry = f_floor(f_add(f_mul(f_div(x, f_set(job->w_max)), f_set(4096.0f)), f_set(0.5f)));
    return f_look_up(job->powers, f_min(entry, f_set(4096.0f)));
}

INLINE float power_of_one(const Job *job, float x) {
    x = x > 0.0f ? x : 0.0f;
    if (job->rule == LINEAR) return x;
    if (job->rule == SQUARE) return x * x;
    if (job->rule == ROOT) return sqrtf(x);
    float entry = floorf(x / job->w_max * 4096.0f + 0.5f);
    return job->powers[(int)(entry < 4096.0f ? entry : 4096.0f)];
}

INLINE float clamped(const Job *job, float w) {
    w = w > 0.0f ? w : 0.0f;
    return w < job->w_max ? w : job->w_max;
}

/* One weight after a step: `pre` and `post` are the trace of the other side times the learning rate, or 0. */
INLINE float learned(const Job *job, float w, float pre, float post) {
    if (job->rule != PAIRWISE) {
        pre = pre * power_of_one(job, w);
        post = post * power_of_one(job, job->w_max - w);
    }
    return clamped(job, (w - pre) + post);
}

INLINE void learn_block(const Job *job, float *w, const int32_t *row, int rows, const float *x_post, float *sum,
                        const int rule, const int block) {
    const F top = f_set(job->w_max), none = f_set(0.0f), rate = f_set(job->eta_pre);
    F pre[5], total[5];
    for (int k = 0; k < block; k++) {
        pre[k] = f_mul(f_load(x_post + k * FL), rate);
        total[k] = none;
    }
    for (int r = 0; r < rows; r++) {
        float *at = w + row[r] * job->padded;
#pragma GCC unroll 5
        for (int k = 0; k < block; k++) {
            F now = f_load(at + k * FL);
            F change = rule == PAIRWISE ? pre[k] : f_mul(pre[k], power(job, rule, now));
            now = f_min(f_max(f_sub(now, change), none), top);
            f_store(at + k * FL, now);
            total[k] = f_add(total[k], now);
        }
    }
    for (int k = 0; k < block; k++) f_store(sum + k * FL, total[k]);
}

INLINE void learn_rows_by(const Job *job, float *w, const int32_t *row, int rows, const float *x_post, float *sum,
                          const int rule) {
    int64_t j = 0;
    for (; j + 5 * FL <= job->padded; j += 5 * FL) learn_block(job, w + j, row, rows, x_post + j, sum + j, rule, 5);
    for (; j < job->padded; j += FL) learn_block(job, w + j, row, rows, x_post + j, sum + j, rule, 1);
}

/* What the arriving spikes of `rows` take from their weights, and the sum of the new weights. */
static __attribute__((unused)) void learn_rows(const Job *job, float *w, const int32_t *row, int rows, const float *x_post, float *sum) {
    switch (job->rule) {
    case PAIRWISE: learn_rows_by(job, w, row, rows, x_post, sum, PAIRWISE); break;
    case LINEAR: learn_rows_by(job, w, row, rows, x_post, sum, LINEAR); break;
    case SQUARE: learn_rows_by(job, w, row, rows, x_post, sum, SQUARE); break;
    case ROOT: learn_rows_by(job, w, row, rows, x_post, sum, ROOT); break;
    default: learn_rows_by(job, w, row, rows, x_post, sum, TABLE); break;
    }
}
#endif

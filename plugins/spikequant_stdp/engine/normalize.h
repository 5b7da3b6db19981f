/* Normalisation after each image. Rows take the factors when they are next used, to save a pass over all weights. */
#ifndef STDP_NORMALIZE_H
#define STDP_NORMALIZE_H
#include <float.h>
#include "train_work.h"

/* Bring a row up to date: the normalisation after the last image, then the clamp of this image's first step. */
INLINE void freshen(const Job *job, const float *factor, float *row, const int clamp) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    for (int64_t j = 0; j < job->padded; j += FL) {
        F w = f_mul(f_load(row + j), f_load(factor + j));
        f_store(row + j, clamp ? f_min(f_max(w, none), top) : w);
    }
}

INLINE void total_block(const Job *job, Work *work, int64_t j, const int block) {
    const F none = f_set(0.0f), top = f_set(job->w_max);
    F total[BLOCK];
    for (int k = 0; k < block; k++) total[k] = none;
    for (int64_t i = 0; i < job->inputs; i++) {
        float *at = work->lesson.w + i * job->padded + j;
        if (work->stale[i])
            for (int k = 0; k < block; k++) {
                F now = f_mul(f_load(at + k * FL), f_load(work->factor + j + k * FL));
                f_store(at + k * FL, f_min(f_max(now, none), top));
            }
#pragma GCC unroll 32
        for (int k = 0; k < block; k++) total[k] = f_add(total[k], f_load(at + k * FL));
    }
    for (int k = 0; k < block; k++) f_store(work->sum + j + k * FL, total[k]);
}

/* Scale stored weights, which are rounded again, at once. */
static void rescale_stored(const Job *job, Work *work, int64_t image) {
    const Formats *formats = work->lesson.formats;
    const Grid *grid = &formats->w;
    const uint64_t stream = stream_of(formats->norm_key, image);
    for (int64_t i = 0; i < job->inputs; i++) {
        float *row = work->lesson.w + i * job->padded;
        freshen(job, work->factor, row, 0);
        for (int64_t j = 0; j < job->padded; j += FL)
            f_store(row + j, f_on_grid(grid, f_load(row + j), stream, (uint64_t)(i * job->neurons + j)));
    }
    for (int64_t j = 0; j < job->padded; j++) work->factor[j] = 1.0f;
}

/* Find the factors that bring each neuron's weights to their norm; rows take them when they are next used. */
static void normalize(const Job *job, Work *work, int64_t image) {
    const Formats *formats = work->lesson.formats;
    const float *sum = work->sum;
    int64_t j = 0;
    for (; j + BLOCK * FL <= job->padded; j += BLOCK * FL) total_block(job, work, j, BLOCK);
    for (; j + 4 * FL <= job->padded; j += 4 * FL) total_block(job, work, j, 4);
    for (; j < job->padded; j += FL) total_block(job, work, j, 1);
    for (j = 0; j < job->padded; j++) {
        const float factor = job->norm / sum[j];
        work->factor[j] = factor <= FLT_MAX ? factor : 1.0f;
    }
    if (is_stored(formats)) rescale_stored(job, work, image);
    memset(work->stale, 1, (size_t)job->inputs);
}
#endif

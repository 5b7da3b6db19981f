/* One step of learning in the rows of the inputs that spike, fused with the sum for the next step. */
#ifndef STDP_PLASTICITY_H
#define STDP_PLASTICITY_H
#include "grid.h"
#include "job.h"
#include "lanes.h"

enum { EXACT_FLOAT = 1 << 24 };
enum { FLOATS = -1 }; /* quant: weights are not quantized */

/* What a step of learning works on. */
typedef struct {
    const Job *job;
    const Formats *formats;
    float *w;
    const int32_t *row;     /* inputs that spike, ascending */
    int rows;
    uint64_t stream;        /* of the rounding of weights in this step */
    const float *x_post;
    float *sum;             /* over the rows, after the step */
    double *wide;           /* the same, where is_wide */
    int is_wide;
    int64_t vanished, updates;
} Lesson;

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

/* What is kept of a stored weight, old before the step; counts the update `times` times. */
INLINE float kept(Lesson *lesson, float old, float now, uint64_t e, int times) {
    const Grid *grid = &lesson->formats->w;
    float value = (float)(code_of(grid, (double)now, lesson->stream, e) * grid->step);
    if (now != old) lesson->updates += times;
    if (now != old && value == old) lesson->vanished += times;
    return value;
}

INLINE void learn_block(Lesson *lesson, int64_t at, const int rule, const int quant, const int stored,
                        const int block) {
    const Job *job = lesson->job;
    const Grid *grid = &lesson->formats->w;
    const F top = f_set(job->w_max), none = f_set(0.0f), rate = f_set(job->eta_pre), step = f_set((float)grid->step);
    F pre[5], total[5];
    for (int k = 0; k < block; k++) {
        pre[k] = f_mul(f_load(lesson->x_post + at + k * FL), rate);
        total[k] = none;
    }
    for (int r = 0; r < lesson->rows; r++) {
        float *w = lesson->w + lesson->row[r] * job->padded + at;
        const uint64_t e = (uint64_t)(lesson->row[r] * job->neurons + at);
#pragma GCC unroll 5
        for (int k = 0; k < block; k++) {
            F old = f_load(w + k * FL);
            F change = rule == PAIRWISE ? pre[k] : f_mul(pre[k], power(job, rule, old));
            F now = f_min(f_max(f_sub(old, change), none), top);
            F code = quant == FLOATS ? now : f_code(grid, now, quant, lesson->stream, e + (uint64_t)(k * FL));
            total[k] = f_add(total[k], code);
            if (stored) {
                F value = f_mul(code, step);
                unsigned changes = f_differ(now, old);
                lesson->updates += __builtin_popcount(changes);
                lesson->vanished += __builtin_popcount(changes & ~f_differ(value, old));
                now = value;
            }
            f_store(w + k * FL, now);
        }
    }
    for (int k = 0; k < block; k++) f_store(lesson->sum + at + k * FL, quant == FLOATS ? total[k] : f_mul(total[k], step));
}

INLINE void learn_as(Lesson *lesson, const int rule, const int quant, const int stored) {
    const int64_t width = lesson->job->padded;
    int64_t j = 0;
    for (; j + 5 * FL <= width; j += 5 * FL) learn_block(lesson, j, rule, quant, stored, 5);
    for (; j < width; j += FL) learn_block(lesson, j, rule, quant, stored, 1);
}

INLINE void learn_by(Lesson *lesson, const int rule) {
    const Grid *grid = &lesson->formats->w;
    if (!grid->there) learn_as(lesson, rule, FLOATS, 0);
    else if (grid->rounding == DRAWN && lesson->formats->stored) learn_as(lesson, rule, DRAWN, 1);
    else if (grid->rounding == DRAWN) learn_as(lesson, rule, DRAWN, 0);
    else if (lesson->formats->stored) learn_as(lesson, rule, NEAREST, 1);
    else learn_as(lesson, rule, NEAREST, 0);
}

/* Weight by weight and in doubles: where codes wrap, or their sum may be no float. */
static void learn_slowly(Lesson *lesson) {
    const Job *job = lesson->job;
    const Grid *grid = &lesson->formats->w;
    for (int64_t j = 0; j < job->padded; j++) lesson->wide[j] = 0.0;
    for (int r = 0; r < lesson->rows; r++)
        for (int64_t j = 0; j < job->neurons; j++) {
            float *w = lesson->w + lesson->row[r] * job->padded + j;
            const uint64_t e = (uint64_t)(lesson->row[r] * job->neurons + j);
            float now = learned(job, *w, lesson->x_post[j] * job->eta_pre, 0.0f);
            *w = lesson->formats->stored ? kept(lesson, *w, now, e, 1) : now;
            lesson->wide[j] += lesson->formats->stored ? (double)*w
                                                       : code_of(grid, (double)now, lesson->stream, e) * grid->step;
        }
    for (int64_t j = 0; j < job->padded; j++) lesson->sum[j] = (float)lesson->wide[j];
    lesson->is_wide = 1;
}

/* Largest code that a weight in 0..w_max gets. */
INLINE double largest_code(const Job *job, const Grid *grid) {
    double code = floor((double)job->w_max * grid->scale) + 1.0;
    return code < grid->high ? code : grid->high;
}

/* Whether a code may wrap; normalisation may bring stored weights anywhere. */
INLINE int may_wrap(const Job *job, const Formats *formats) {
    return formats->w.wrap && (formats->stored || (double)job->w_max * formats->w.scale + 1.0 > formats->w.high);
}

/* What the arriving spikes take from their weights, and the sum of the new weights. */
static void learn_rows(Lesson *lesson) {
    const Job *job = lesson->job;
    const Grid *grid = &lesson->formats->w;
    lesson->is_wide = 0;
    if (grid->there && (may_wrap(job, lesson->formats) || lesson->rows * largest_code(job, grid) >= EXACT_FLOAT)) {
        learn_slowly(lesson);
        return;
    }
    switch (job->rule) {
    case PAIRWISE: learn_by(lesson, PAIRWISE); break;
    case LINEAR: learn_by(lesson, LINEAR); break;
    case SQUARE: learn_by(lesson, SQUARE); break;
    case ROOT: learn_by(lesson, ROOT); break;
    default: learn_by(lesson, TABLE); break;
    }
}
#endif

/* One step of learning in the rows of the inputs that spike.
 *
 * What an input's spike takes from a weight is in proportion to the trace of the weight's neuron, and few neurons spike
 * within an image: only blocks of FL neurons with such a neuron are touched. */
#ifndef STDP_PLASTICITY_H
#define STDP_PLASTICITY_H
#include "grid.h"
#include "job.h"
#include "lanes.h"

/* What a step of learning works on. */
typedef struct {
    const Job *job;
    const Formats *formats;
    float *w;
    float *rounded;         /* w as it is used, where that is another matrix (see has_rounded) */
    const int32_t *row;     /* inputs that spike, ascending */
    int rows;
    const float *pre;       /* trace of each neuron times the learning rate */
    const int32_t *block;   /* where pre is not 0: first neuron of each block of FL */
    int blocks;
    uint64_t stream;        /* of the rounding of stored weights in this step */
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

INLINE int is_stored(const Formats *formats) { return formats->w.there && formats->stored; }

/* Whether `rounded` holds the weights in use: they are rounded at each use, and always alike. */
INLINE int has_rounded(const Formats *formats) {
    return formats->w.there && !formats->stored && formats->w.rounding != DRAWN;
}

/* One weight as it is used, rounded by TR or RN. */
INLINE float rounded(const Grid *grid, float w) {
    float ratio = w * (float)grid->scale, code = floorf(ratio);
    if (grid->wrap) return (float)(code_of(grid, (double)w, 0, 0) * grid->step);
    code += grid->rounding == NEAREST && ratio - code >= 0.5f ? 1.0f : 0.0f;
    return (code < (float)grid->high ? code : (float)grid->high) * (float)grid->step;
}

/* The lanes of weights that are at least 0; element e is the first. */
INLINE F f_on_grid(const Grid *grid, F w, uint64_t stream, uint64_t e) {
    if (grid->wrap) {
        float lane[FL] __attribute__((aligned(64)));
        f_store(lane, w);
        for (int k = 0; k < FL; k++)
            lane[k] = (float)(code_of(grid, (double)lane[k], stream, e + (uint64_t)k) * grid->step);
        return f_load(lane);
    }
    F code = grid->rounding == DRAWN ? f_code(grid, w, DRAWN, stream, e) : f_code(grid, w, NEAREST, stream, e);
    return f_mul(code, f_set((float)grid->step));
}

/* What is kept of a weight, old before the step and now after it; element e. */
INLINE float kept(Lesson *lesson, float old, float now, uint64_t e) {
    const Grid *grid = &lesson->formats->w;
    if (!is_stored(lesson->formats)) return now;
    float value = (float)(code_of(grid, (double)now, lesson->stream, e) * grid->step);
    lesson->updates += now != old;
    lesson->vanished += now != old && value == old;
    return value;
}

INLINE void teach_block(Lesson *lesson, int64_t at, const int rule, const int stored, const int has) {
    const Job *job = lesson->job;
    const Grid *grid = &lesson->formats->w;
    const F pre = f_load(lesson->pre + at), none = f_set(0.0f);
    for (int r = 0; r < lesson->rows; r++) {
        const int64_t place = lesson->row[r] * job->padded + at;
        const uint64_t e = (uint64_t)(lesson->row[r] * job->neurons + at);
        F old = f_load(lesson->w + place);
        F change = rule == PAIRWISE ? pre : f_mul(pre, power(job, rule, old));
        F now = f_max(f_sub(old, change), none); /* at most w_max, as old is */
        if (stored) {
            F value = f_on_grid(grid, now, lesson->stream, e);
            unsigned changes = f_differ(now, old);
            lesson->updates += __builtin_popcount(changes);
            lesson->vanished += __builtin_popcount(changes & ~f_differ(value, old));
            now = value;
        }
        f_store(lesson->w + place, now);
        if (has) f_store(lesson->rounded + place, f_on_grid(grid, now, 0, 0));
    }
}

INLINE void teach_by(Lesson *lesson, const int rule) {
    const int stored = is_stored(lesson->formats), has = has_rounded(lesson->formats);
    for (int b = 0; b < lesson->blocks; b++) {
        if (stored) teach_block(lesson, lesson->block[b], rule, 1, 0);
        else if (has) teach_block(lesson, lesson->block[b], rule, 0, 1);
        else teach_block(lesson, lesson->block[b], rule, 0, 0);
    }
}

/* What the arriving spikes take from their weights. */
static void teach_rows(Lesson *lesson) {
    switch (lesson->job->rule) {
    case PAIRWISE: teach_by(lesson, PAIRWISE); break;
    case LINEAR: teach_by(lesson, LINEAR); break;
    case SQUARE: teach_by(lesson, SQUARE); break;
    case ROOT: teach_by(lesson, ROOT); break;
    default: teach_by(lesson, TABLE); break;
    }
}
#endif

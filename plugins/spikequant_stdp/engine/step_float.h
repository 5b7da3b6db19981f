/* One step of potentials in float32. */
#ifndef STDP_STEP_FLOAT_H
#define STDP_STEP_FLOAT_H
#include "cell.h"

/* The conductance in float32. */
static void fade_g(const Job *job, Cell *cell, const float *sum) {
    const F decay = f_set(job->g_decay);
    for (int64_t j = 0; j < job->padded; j += FL)
        f_store(cell->g + j, f_add(f_mul(f_load(cell->g + j), decay), f_load(sum + j)));
}

/* List who reached the threshold. */
static int crossed_float(const Job *job, const Cell *cell) {
    int crossed = 0;
    for (int64_t j = 0; j < job->padded; j += FL)
        for (unsigned bits = f_at_least(f_load(cell->v + j), f_load(cell->firing + j)); bits; bits &= bits - 1)
            cell->crossed[crossed++] = (int32_t)j + __builtin_ctz(bits);
    return crossed;
}

/* Leak, add what arrives, compare with the threshold; returns how many reached it. theta: of learning, or NULL. */
INLINE int f_lanes(const Job *job, const Cell *cell, const float *sum, float *theta, int64_t t, const int fading,
                   const int busy, const int conductance) {
    const F decay = f_set(job->decay), rest = f_set(job->rest), now = f_set((float)t), none = f_set(0.0f);
    const F base = f_set(job->threshold), fade = f_set(job->theta_decay);
    const F loss = f_set(cell->before >= 0 ? job->inhibition : 0.0f);
    const float *wait = cell->wait, *g = cell->g;
    const int64_t width = job->padded;
    float *lanes = cell->v, *at = cell->firing, *let_off = cell->let_off_float;
    unsigned any = 0;
    if (busy == ANYHOW && cell->before >= 0) let_off[cell->before] = 0.0f;
#pragma GCC unroll 2
    for (int64_t j = 0; j < width; j += FL) {
        F v = f_load(lanes + j), leaked = f_add(f_mul(f_sub(v, rest), decay), rest), driven, firing;
        F lost = busy == ANYHOW ? f_mul(loss, f_load(let_off + j)) : loss;
        if (conductance) {
            driven = f_add(leaked, f_mul(f_mul(f_load(g + j), f_sub(none, v)), f_set(0x1p-7f)));
            if (busy) driven = f_sub(driven, lost);
        } else {
            driven = f_load(sum + j);
            if (busy) driven = f_sub(driven, lost);
            driven = f_add(leaked, driven);
        }
        v = busy ? f_pick(now, f_load(wait + j), driven, leaked) : driven;
        f_store(lanes + j, v);
        if (fading) {
            F faded = f_mul(f_load(theta + j), fade);
            f_store(theta + j, faded);
            firing = f_add(base, faded);
            f_store(at + j, firing);
        } else {
            firing = f_load(at + j);
        }
        any |= f_at_least(v, firing);
    }
    if (busy == ANYHOW && cell->before >= 0) let_off[cell->before] = 1.0f;
    return any ? crossed_float(job, cell) : 0;
}

INLINE int step_float(const Job *job, Cell *cell, const float *sum, float *theta, int64_t t, const int fading) {
    const int busy = business(job, cell, t);
    if (!job->conductance)
        return busy == ANYHOW ? f_lanes(job, cell, sum, theta, t, fading, ANYHOW, 0)
               : busy         ? f_lanes(job, cell, sum, theta, t, fading, BUSY, 0)
                              : f_lanes(job, cell, sum, theta, t, fading, QUIET, 0);
    if (!cell->formats->g.there) fade_g(job, cell, sum);
    return busy == ANYHOW ? f_lanes(job, cell, sum, theta, t, fading, ANYHOW, 1)
           : busy         ? f_lanes(job, cell, sum, theta, t, fading, BUSY, 1)
                          : f_lanes(job, cell, sum, theta, t, fading, QUIET, 1);
}
#endif

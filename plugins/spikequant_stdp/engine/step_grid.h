/* One step of quantized potentials and conductances, as codes in doubles. */
#ifndef STDP_STEP_GRID_H
#define STDP_STEP_GRID_H
#include "cell.h"

/* How a step ends: the floor of it all; RN; SR with cell->draws; and where few bits are rounded off, the floor after a
 * random number from formats->chance, or a fresh one, was added. */
enum { FLOOR, HALVES, DRAWS, CHANCES, FRESH };

/* The way in which a grid is rounded; where the sum before it is exact, the 1/2 of RN is added to it beforehand. */
INLINE int way_of(const Grid *grid, int64_t exact) {
    return grid->rounding == TRUNCATE || (grid->rounding == NEAREST && exact) ? FLOOR
           : grid->rounding == NEAREST                                        ? HALVES
                                                                              : DRAWS;
}

INLINE void draw_lanes(const Job *job, const Cell *cell, uint64_t stream) {
    for (int64_t j = 0; j < job->padded; j += DL) d_store(cell->draws + j, d_draw(stream, (uint64_t)j));
}

INLINE D d_code(const Grid *grid, D ratio, const int way, const double *draws, const int may_wrap) {
    if (way == FLOOR) ratio = d_floor(ratio);
    else if (way == HALVES) ratio = d_nearest(ratio);
    else ratio = d_drawn(ratio, d_load(draws));
    return may_wrap ? d_held(grid, ratio) : d_min(d_max(ratio, d_set(grid->low)), d_set(grid->high));
}

/* The conductance: g = Q(decay * g + sum). */
INLINE void g_lanes(const Job *job, const Cell *cell, const float *sum, const double *wide, const int way) {
    const Grid grid = cell->formats->g;
    const D decay = d_set(grid.decay), scale = d_set(grid.scale);
    const D half = d_set(way == FLOOR && grid.rounding == NEAREST ? 0.5 : 0.0);
    const double *draws = cell->draws;
    double *lanes = cell->G;
    float *g = cell->g;
    for (int64_t j = 0; j < job->padded; j += DL) {
        D kept = d_exact(d_load(lanes + j), decay, half), x = wide ? d_load(wide + j) : d_widen(sum + j);
        d_store(lanes + j, d_code(&grid, d_exact(x, scale, kept), way, draws + j, 1));
    }
    for (int64_t j = 0; j < job->padded; j++) g[j] = (float)(lanes[j] * grid.step);
}

static void step_g(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t draw) {
    const Grid *grid = &cell->formats->g;
    switch (way_of(grid, cell->formats->w.there)) {
    case FLOOR: g_lanes(job, cell, sum, wide, FLOOR); break;
    case HALVES: g_lanes(job, cell, sum, wide, HALVES); break;
    default:
        draw_lanes(job, cell, stream_of(grid->key, draw));
        g_lanes(job, cell, sum, wide, DRAWS);
    }
}

/* List who reached the threshold. */
static int crossed_grid(const Job *job, const Cell *cell) {
    int crossed = 0;
    for (int64_t j = 0; j < job->padded; j += DL)
        for (unsigned bits = d_at_least(d_load(cell->V + j), d_load(cell->Firing + j)); bits; bits &= bits - 1)
            cell->crossed[crossed++] = (int32_t)j + __builtin_ctz(bits);
    return crossed;
}

/* V = Q(decay * (V - rest) + rest + x), then the threshold; returns how many reached it. */
INLINE int v_lanes(const Job *job, const Cell *cell, const float *sum, const double *wide, int64_t t, uint64_t stream,
                   const int way, const int busy, const int conductance) {
    const Grid grid = cell->formats->V; /* a copy, which stores into lanes cannot change */
    const double whole_rest = (double)job->rest * grid.scale;
    const double half = way == FLOOR && grid.rounding == NEAREST ? 0.5 : 0.0;
    const D decay = d_set(grid.decay), base = d_set(whole_rest - whole_rest * grid.decay + half);
    const D scale = d_set(grid.scale), now = d_set((double)t), none = d_set(0.0);
    const D unit = d_set(cell->formats->g.step * 0x1p-7);
    const D loss = d_set(cell->before >= 0 ? (double)job->inhibition * -grid.scale : 0.0);
    const float *chance = cell->formats->chance + t * job->padded;
    const double *wait = cell->Wait, *firing = cell->Firing, *g = cell->G, *draws = cell->draws;
    double *lanes = cell->V, *let_off = cell->let_off;
    const int64_t width = job->padded, bits = cell->formats->chance_bits;
    unsigned any = 0;
    if (busy == ANYHOW && cell->before >= 0) let_off[cell->before] = 0.0;
#pragma GCC unroll 4
    for (int64_t j = 0; j < width; j += DL) {
        D v = d_load(lanes + j);
        D leaked = d_exact(v, decay, base), driven, lost = loss;
        if (way == CHANCES) leaked = d_add(leaked, d_widen(chance + j));
        if (way == FRESH) leaked = d_add(leaked, d_chance(stream, (uint64_t)j, bits));
        if (busy == ANYHOW) lost = d_mul(loss, d_load(let_off + j));
        if (conductance) {
            driven = d_exact(d_mul(d_load(g + j), d_sub(none, v)), unit, leaked);
            if (busy) driven = d_add(driven, lost);
        } else if (busy) {
            D x = busy == ANYHOW && wide ? d_load(wide + j) : d_widen(sum + j);
            driven = d_add(leaked, d_exact(x, scale, lost));
        } else {
            driven = d_exact(d_widen(sum + j), scale, leaked);
        }
        if (busy) driven = d_pick(now, d_load(wait + j), driven, leaked);
        v = d_code(&grid, driven, way == CHANCES || way == FRESH ? FLOOR : way, draws + j, busy == ANYHOW);
        d_store(lanes + j, v);
        any |= d_at_least(v, d_load(firing + j));
    }
    if (busy == ANYHOW && cell->before >= 0) let_off[cell->before] = 1.0;
    return any ? crossed_grid(job, cell) : 0;
}

INLINE int v_by(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t t, uint64_t stream,
                const int way) {
    const int busy = cell->formats->V.wrap || wide ? ANYHOW : business(job, cell, t);
    if (job->conductance)
        return busy == ANYHOW ? v_lanes(job, cell, sum, wide, t, stream, way, ANYHOW, 1)
               : busy         ? v_lanes(job, cell, sum, wide, t, stream, way, BUSY, 1)
                              : v_lanes(job, cell, sum, wide, t, stream, way, QUIET, 1);
    return busy == ANYHOW ? v_lanes(job, cell, sum, wide, t, stream, way, ANYHOW, 0)
           : busy         ? v_lanes(job, cell, sum, wide, t, stream, way, BUSY, 0)
                          : v_lanes(job, cell, sum, wide, t, stream, way, QUIET, 0);
}

static int step_grid(const Job *job, Cell *cell, const float *sum, const double *wide, int64_t t, int64_t draw) {
    const Formats *formats = cell->formats;
    const uint64_t stream = stream_of(formats->V.key, draw);
    switch (way_of(&formats->V, formats->exact)) {
    case FLOOR: return v_by(job, cell, sum, wide, t, 0, FLOOR);
    case HALVES: return v_by(job, cell, sum, wide, t, 0, HALVES);
    default:
        if (formats->chance) return v_by(job, cell, sum, wide, t, 0, CHANCES);
        if (formats->chance_bits) return v_by(job, cell, sum, wide, t, stream, FRESH);
        draw_lanes(job, cell, stream);
        return v_by(job, cell, sum, wide, t, 0, DRAWS);
    }
}
#endif

/* One step of learning, and the sum of what then arrives at the neurons. */
#ifndef STDP_LESSON_H
#define STDP_LESSON_H
#include "normalize.h"
#include "sums.h"
#include "train_work.h"

enum { EXACT_FLOAT = 1 << 24 };

INLINE void round_row(const Job *job, Lesson *lesson, int32_t i) {
    const int64_t at = i * job->padded;
    if (lesson->rounded)
        for (int64_t j = at; j < at + job->padded; j += FL)
            f_store(lesson->rounded + j, f_on_grid(&lesson->formats->w, f_load(lesson->w + j), 0, 0));
}

/* The clamp of the first step, which counts as an update. */
static void first_clamp(const Job *job, Lesson *lesson) {
    for (int r = 0; r < lesson->rows; r++) {
        float *row = lesson->w + lesson->row[r] * job->padded;
        for (int64_t j = 0; j < job->neurons; j++) {
            float now = clamped(job, row[j]);
            lesson->updates += is_stored(lesson->formats) && now != row[j];
            row[j] = now;
        }
        round_row(job, lesson, lesson->row[r]);
    }
}

/* Mark the inputs that spike at step t, bring their rows up to date, and note the weights to the neuron that spikes. */
static void meet(const Job *job, Work *work, int64_t t, int64_t spike) {
    Lesson *lesson = &work->lesson;
    for (int r = 0; r < lesson->rows; r++) {
        int32_t i = lesson->row[r];
        float *row = lesson->w + i * job->padded;
        if (work->stale[i]) {
            work->stale[i] = 0;
            work->seen[work->seen_count++] = i;
            if (t) {
                freshen(job, work->factor, row, 1);
                round_row(job, lesson, i);
            } else {
                freshen(job, work->factor, row, 0);
            }
        }
        work->spiked[i] = (int32_t)t;
        if (spike >= 0) {
            work->old[r] = row[spike];
            row[spike] = clamped(job, row[spike]); /* reward does this weight, so nothing else may change it */
        }
    }
    if (!t) first_clamp(job, lesson);
}

INLINE void teach_one(const Job *job, Lesson *lesson, int64_t i, int64_t j, float old, float pre, float post) {
    const int64_t place = i * job->padded + j;
    lesson->w[place] = kept(lesson, old, learned(job, old, pre, post), (uint64_t)(i * job->neurons + j));
    if (lesson->rounded) lesson->rounded[place] = rounded(&lesson->formats->w, lesson->w[place]);
}

/* The spike of neuron j at step t strengthens the weights of all inputs seen. */
static void reward(const Job *job, Work *work, int64_t j, int64_t t) {
    Lesson *lesson = &work->lesson;
    for (int s = 0; s < work->seen_count; s++) {
        int32_t i = work->seen[s];
        if (work->spiked[i] == t) continue;
        float post = job->trace[t - work->spiked[i]] * job->eta_post;
        teach_one(job, lesson, i, j, lesson->w[i * job->padded + j], 0.0f, post);
    }
    for (int r = 0; r < lesson->rows; r++)
        teach_one(job, lesson, lesson->row[r], j, work->old[r], job->eta_pre, job->eta_post);
    if (is_stored(lesson->formats) && !t) /* the first clamp is an update of the whole column */
        for (int64_t i = 0; i < job->inputs; i++) {
            float w = lesson->w[i * job->padded + j];
            if (work->stale[i] && clamped(job, w) != w) lesson->updates++;
        }
}

/* Traces of the neurons at step t, and the blocks that hold them. */
static void trace_neurons(const Job *job, Work *work, int64_t t, int64_t spike) {
    if (spike >= 0 && work->fired[spike] < 0) {
        const int32_t first = (int32_t)(spike / FL * FL);
        int b = 0;
        work->awake[work->awake_count++] = (int32_t)spike;
        while (b < work->lesson.blocks && work->block[b] != first) b++;
        if (b == work->lesson.blocks) work->block[work->lesson.blocks++] = first;
    }
    if (spike >= 0) work->fired[spike] = (int32_t)t;
    for (int a = 0; a < work->awake_count; a++) {
        int32_t j = work->awake[a];
        work->pre[j] = job->trace[t - work->fired[j]] * job->eta_pre;
    }
    if (spike >= 0) work->pre[spike] = 0.0f; /* reward does this column */
}

/* Largest magnitude of a code in use. */
INLINE double largest_code(const Job *job, const Grid *grid) {
    double code = floor((double)job->w_max * grid->scale) + 1.0;
    if (grid->wrap) return grid->high > -grid->low ? grid->high : -grid->low;
    return code < grid->high ? code : grid->high;
}

/* Sum what arrives at the next step, of the given draw. */
static void add_up(const Job *job, Work *work, int64_t draw) {
    const Lesson *lesson = &work->lesson;
    const Grid *grid = &lesson->formats->w;
    const float *w = lesson->rounded ? lesson->rounded : lesson->w;
    const int drawn = grid->there && !lesson->rounded && !lesson->formats->stored;
    work->is_wide = grid->there && lesson->rows * largest_code(job, grid) >= EXACT_FLOAT;
    if (drawn) {
        const uint64_t stream = stream_of(grid->key, draw);
        work->is_wide |= grid->wrap || (double)job->w_max * grid->scale >= 1 << 28;
        if (work->is_wide)
            sum_drawn_wide(job, grid, w, lesson->row, lesson->rows, stream, work->wide, work->sum);
        else
            sum_drawn(job, grid, w, lesson->row, lesson->rows, stream, work->sum);
    } else if (work->is_wide) {
        sum_rows_wide(w, job->padded, lesson->row, lesson->rows, work->wide, work->sum);
    } else {
        sum_rows(w, job->padded, lesson->row, lesson->rows, work->sum);
    }
}

static void learn(const Job *job, Work *work, int64_t t, int64_t spike, int64_t draw) {
    Lesson *lesson = &work->lesson;
    lesson->row = work->list[t % STRIP];
    lesson->rows = work->count[t % STRIP];
    lesson->stream = stream_of(lesson->formats->w.key, draw);
    meet(job, work, t, spike);
    trace_neurons(job, work, t, spike);
    teach_rows(lesson);
    if (spike >= 0) reward(job, work, spike, t);
    add_up(job, work, draw + 1);
}
#endif

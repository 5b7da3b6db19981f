/* What training works with, and where it is in the room. */
#ifndef STDP_TRAIN_WORK_H
#define STDP_TRAIN_WORK_H
#include "encode.h"
#include "plasticity.h"
#include "room.h"

typedef struct {
    Cell cell;
    Lesson lesson;
    Source source;
    int32_t *list[STRIP];
    int count[STRIP];
    float *sum;             /* what arrives at the neurons next, and in doubles where is_wide */
    double *wide;
    int is_wide;
    float *factor;          /* of the last normalisation */
    uint8_t *stale;         /* rows that await these factors and the clamp of this image's first step */
    int32_t *seen, *spiked; /* inputs that spiked in this image; when each last did */
    int seen_count;
    int32_t *awake, *fired; /* neurons that spiked in this image; when each last did, or -1 */
    int awake_count;
    float *pre;             /* of the lesson */
    int32_t *block;
    float *old;             /* of this step's inputs: their weight to the neuron that spikes, before the step */
} Work;

static void lay_out(const Job *job, const Formats *formats, Room *room, Work *work) {
    const int64_t line = job->padded * (int64_t)sizeof(double), column = job->inputs * (int64_t)sizeof(float);
    take_source(job, room, &work->source);
    take_lists(job, room, work->list, STRIP);
    take_cell(job, room, &work->cell);
    take_shared(job, room, &work->cell);
    work->sum = take(room, line);
    work->wide = take(room, line);
    work->factor = take(room, line);
    work->stale = take(room, job->inputs);
    work->seen = take(room, column);
    work->spiked = take(room, column);
    work->awake = take(room, line);
    work->fired = take(room, line);
    work->pre = take(room, line);
    work->block = take(room, line);
    work->old = take(room, column);
    work->lesson.rounded = has_rounded(formats) ? take(room, column * job->padded) : NULL;
}
#endif

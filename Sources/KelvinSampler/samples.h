// The files that are sampled, and their samples on the way to the link.
#ifndef KELVIN_SAMPLER_SAMPLES_H
#define KELVIN_SAMPLER_SAMPLES_H

#include "frames.h"

enum { most_files = 256 };

void files_open(char **paths, int count);
// How many are open.
int files_opened(void);
// Reads every file once; `now` is the time at which the tick began. Gives the time of the last reading.
int64_t files_sample(int64_t now);

// Memory for what the link has not taken, in bytes; 0 when it cannot be had.
size_t store_prepare(size_t size);
void store_add(int channel, int64_t time, int64_t mantissa, unsigned kind);
// Puts the frame that is being filled into the store, if it holds anything.
void store_close_frame(void);
// A sleep of the board, after the samples before it: times on the clock that goes on.
void store_add_suspend(int64_t number, int64_t from, int64_t to, int64_t slept);
// Takes the oldest frame. Gives 0 when there is none.
int store_take(struct frame *);
int store_has_frame(void);
// Whether there is a frame, or one that is being filled.
int store_has_samples(void);
// Samples so far, and those of frames that found no room.
uint64_t store_samples(void);
uint64_t store_lost(void);

#endif

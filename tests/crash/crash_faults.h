/* The n-th operation of the device goes wrong, in each way, for n = 1, 2, … until it is not reached
 * any more. The store rides through or lives in memory for a while; totals stay exact over all
 * epochs, and it is durable again when the device is, without a restart. */
#ifndef PICKET_CRASH_FAULTS_H
#define PICKET_CRASH_FAULTS_H

#include "base.h"

void crash_faults_run(uint64_t seed, unsigned slots);

#endif

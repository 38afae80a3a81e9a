package org.gatun.cuda.simulator;

/// How long a launch would take on a device by a model of time: **modelled**, not measured on anything.
///
/// @param microseconds from the end of the launch before to the end of this
/// @param floorMicroseconds in which the device's memory moves each byte of the launch once, or its tensor cores do its products, whichever
///     is more
/// @param limit what binds: a pipe that is busy nearly all the time, or `chain:` and what the longest chain of a block spends most time on;
///     where less than half of the multiprocessors have work, how many do
/// @param residentBlocks of a multiprocessor at a time, by registers, shared memory and threads
/// @param waves of blocks; the last one may be short
/// @param warpsPerScheduler while all multiprocessors are full
/// @param bytesUnderWay of a multiprocessor, asked for and not there yet, on average
/// @param stagesFull of a ring, and unused, when a consumer comes to wait for one, on average; NaN if nobody waits for stages. At 0 the
///     ring hands over one at a time
/// @param atomicsShare part of the longest chain that is atomics, and threads that meet at one address in them
/// @param sampledBlocks that were run, of which the others are taken to be like
public record ModelledTime(double microseconds, double floorMicroseconds, String limit, int residentBlocks, double waves,
        double warpsPerScheduler, double bytesUnderWay, double stagesFull, double atomicsShare, long sampledBlocks) {}

// The sequences of a pass.
#pragma once

// What the rows of a segment attend to.
enum Mask : int {
    CAUSAL, // all committed slots, and the segment's rows up to the row itself
    TREE,   // all committed slots, and the segment's rows on the row's path
    RANGES, // ranges of slots in their order, among them maybe all of the segment's rows
};

// A sequence's part of a pass, as the host writes it: rows first_row to first_row + rows. pages: of the sequence, see cache.cuh.
struct alignas(16) Segment {
    char* const* pages;
    int committed; // slots of the sequence's text
    int first_slot; // of RANGES: where the first row's key and value go, those of others behind it; -1 if nowhere
    int first_row;
    int rows;
    int mask;
    int first_range; // of RANGES
    int ranges;
    int keys; // of RANGES: that each row attends to
    int reserved[2];

    // Where a row of the segment puts its key and value; negative if nowhere.
    __device__ __forceinline__ int slot_of_row(int row) const {
        return mask != RANGES ? committed + row : first_slot < 0 ? -1 : first_slot + row;
    }

    // Keys that some row may see.
    __device__ __forceinline__ int key_count() const {
        return mask == RANGES ? keys : committed + rows;
    }
};

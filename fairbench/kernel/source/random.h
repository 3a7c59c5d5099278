// Numbers for dropout, as numpy's generator SFC64 draws them (Doty-Humphrey's, in PractRand).
#pragma once

#include "places.h"

// Four numbers of 16 bits for each word of the stream, for all dropouts and the steps ahead.
inline void draw(const Network& net, uint64_t* stream, uint16_t* into) {
    uint64_t a = stream[0], b = stream[1], c = stream[2], count = stream[3];
    for (int64_t m = 0; m < net.masks; m++) {
        const Dropout& dropout = net.dropout[m];
        const int64_t words = (net.ahead * net.rows * dropout.width + 3) / 4;
        for (int64_t w = 0; w < words; w++) {
            const uint64_t word = a + b + count++;
            a = b ^ (b >> 11);
            b = c + (c << 3);
            c = ((c << 24) | (c >> 40)) + word;
            for (int i = 0; i < 4; i++) into[dropout.start + 4 * w + i] = uint16_t(word >> (16 * i));
        }
    }
    stream[0] = a, stream[1] = b, stream[2] = c, stream[3] = count;
}

// When calls are due that nobody coordinates; gives the times that bench/src/load/arrivals.ts gives for the same
// rate and seed.
#pragma once

#include <cmath>
#include <cstdint>

// The random numbers of @koala/testing: xoshiro128**, its state filled by splitmix32.
class Prng {
 public:
  explicit Prng(uint32_t seed) {
    uint32_t mixed = seed;
    for (uint32_t& word : state_) {
      mixed += 0x9e3779b9u;
      word = (mixed ^ (mixed >> 16)) * 0x21f0aaadu;
      word = (word ^ (word >> 15)) * 0x735a2d97u;
      word ^= word >> 15;
    }
  }

  uint32_t Next() {
    const uint32_t second = state_[1];
    const uint32_t result = Rotate(second * 5, 7) * 9;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= second << 9;
    state_[3] = Rotate(state_[3], 11);
    return result;
  }

 private:
  static uint32_t Rotate(uint32_t word, int bits) { return word << bits | word >> (32 - bits); }

  uint32_t state_[4];
};

// A Poisson process: its gaps are exponential.
class Arrivals {
 public:
  Arrivals(double rate, uint32_t seed) : prng_(seed), mean_seconds_(1 / rate) {}

  // Seconds from the start.
  double Next() {
    // From above 0 to 1, so that the logarithm exists.
    const double uniform = (prng_.Next() + 1.0) / 4294967296.0;
    at_ -= std::log(uniform) * mean_seconds_;
    return at_;
  }

 private:
  Prng prng_;
  double mean_seconds_;
  double at_ = 0;
};

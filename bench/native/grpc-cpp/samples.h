// Latencies in microseconds, and what they come to; the counterpart of bench/src/figures/samples.ts and histogram.ts.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

// A figure as JSON; what does not exist is null.
inline std::string Figure(double value) {
  if (std::isnan(value)) return "null";
  char text[32];
  snprintf(text, sizeof text, "%.3f", value);
  return text;
}

// The nearest-rank percentile of ascending numbers; NaN when there are none.
inline double Percentile(const std::vector<double>& ascending, double percent) {
  if (ascending.empty()) return std::nan("");
  const auto rank = static_cast<size_t>(std::ceil(ascending.size() * percent / 100));
  return ascending[std::max<size_t>(rank, 1) - 1];
}

class Samples {
 public:
  // False in the warm-up: what comes is dropped.
  bool keep = false;

  Samples() { micros_.reserve(kMax); }

  void Add(double micros) {
    if (keep && micros_.size() < kMax) micros_.push_back(micros);
  }

  // The median of what came since the last call of this.
  double EndRound() {
    std::vector<double> round(micros_.begin() + round_start_, micros_.end());
    round_start_ = micros_.size();
    std::sort(round.begin(), round.end());
    return Percentile(round, 50);
  }

  std::vector<double> Ascending() const {
    std::vector<double> all(micros_);
    std::sort(all.begin(), all.end());
    return all;
  }

  // How many are in each bucket; buckets grow by half a percent.
  std::map<int, uint64_t> Histogram() const {
    static const double log_growth = std::log(1.005);
    std::map<int, uint64_t> counts;
    for (const double each : micros_) {
      counts[static_cast<int>(std::floor(std::log(std::max(each, 0.001)) / log_growth))]++;
    }
    return counts;
  }

  void Forget() {
    micros_.clear();
    round_start_ = 0;
  }

 private:
  // As many as samples.ts keeps; what comes after that is left out.
  static constexpr size_t kMax = size_t{1} << 22;
  std::vector<double> micros_;
  size_t round_start_ = 0;
};

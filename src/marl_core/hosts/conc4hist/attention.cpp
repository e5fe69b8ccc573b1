// The attention of attention.py on a CPU, one sample after the other, in single precision.
//
// WIDTH and FEATURES are given when this is compiled. Numbers are held in vectors of 16, so that
// the compiler keeps a hidden row in registers; a width that is no multiple of 16 is padded with
// zeros, which change nothing. Entities are encoded four at a time: each weight is read once for
// four of them.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

namespace {

constexpr int LANES = 16;
constexpr int VECTORS = (WIDTH + LANES - 1) / LANES;
constexpr int PADDED = VECTORS * LANES;
constexpr int GROUP = 4;
// Sums in single precision are moved to double precision after this many samples.
constexpr int64_t FLUSH = 256;

typedef float Vector __attribute__((vector_size(LANES * sizeof(float))));

struct Row {
  Vector part[VECTORS];
};

Row zeros() {
  Row row;
  std::memset(&row, 0, sizeof(Row));
  return row;
}

Row load(const float* numbers) {
  Row row = zeros();
  std::memcpy(&row, numbers, WIDTH * sizeof(float));
  return row;
}

void store(const Row& row, float* numbers) {
  std::memcpy(numbers, &row, WIDTH * sizeof(float));
}

// By halves: sixteen additions one after the other would take longer than all products.
float sum(Vector v) {
  typedef float Half __attribute__((vector_size(8 * sizeof(float))));
  typedef float Quarter __attribute__((vector_size(4 * sizeof(float))));
  Half half[2];
  std::memcpy(half, &v, sizeof(v));
  const Half eight = half[0] + half[1];
  Quarter quarter[2];
  std::memcpy(quarter, &eight, sizeof(eight));
  const Quarter four = quarter[0] + quarter[1];
  return (four[0] + four[2]) + (four[1] + four[3]);
}

float dot(const Row& one, const Row& other) {
  Vector products = one.part[0] * other.part[0];
  for (int v = 1; v < VECTORS; ++v) products += one.part[v] * other.part[v];
  return sum(products);
}

void add(Row& to, float factor, const Row& row) {
  for (int v = 0; v < VECTORS; ++v) to.part[v] += factor * row.part[v];
}

// What every sample shares.
struct Layer {
  const float* rows;
  int64_t nobody;
  int entities;
  Row weight[FEATURES];
  Row bias;
  Row hidden_of_nobody;
};

Row relu(const Row& row) {
  Row result;
  const Row zero = zeros();
  for (int v = 0; v < VECTORS; ++v) {
    result.part[v] = row.part[v] > zero.part[v] ? row.part[v] : zero.part[v];
  }
  return result;
}

// Sets what is not positive in `like` to 0; NaN is no number that is not positive.
void keep_positive(Row& row, const Row& like) {
  const Row zero = zeros();
  for (int v = 0; v < VECTORS; ++v) {
    row.part[v] = like.part[v] <= zero.part[v] ? zero.part[v] : row.part[v];
  }
}

Layer layer_of(const float* rows, int64_t nobody, int entities, const float* weight,
               const float* bias) {
  Layer layer;
  layer.rows = rows;
  layer.nobody = nobody;
  layer.entities = entities;
  for (int f = 0; f < FEATURES; ++f) layer.weight[f] = load(weight + f * WIDTH);
  layer.bias = load(bias);
  layer.hidden_of_nobody = relu(layer.bias);
  return layer;
}

// The entities of one sample: which places hold one, and the hidden row of each place.
struct Sample {
  std::vector<int> there;
  std::vector<const float*> features;
  std::vector<Row> hidden;

  explicit Sample(int entities) : features(entities), hidden(entities + GROUP) {
    there.reserve(entities + GROUP);
  }
};

void encode(const Layer& layer, const int32_t* index, Sample& sample) {
  sample.there.clear();
  for (int j = 0; j < layer.entities; ++j) {
    sample.features[j] = layer.rows + static_cast<int64_t>(index[j]) * FEATURES;
    if (index[j] == layer.nobody) {
      sample.hidden[j] = layer.hidden_of_nobody;
    } else {
      sample.there.push_back(j);
    }
  }
  const int count = static_cast<int>(sample.there.size());
  for (int start = 0; start < count; start += GROUP) {
    const float* x[GROUP];
    int place[GROUP];
    for (int e = 0; e < GROUP; ++e) {
      const bool is_one = start + e < count;
      const int j = sample.there[is_one ? start + e : start];
      x[e] = sample.features[j];
      // What fills up a group goes to a place that nobody reads.
      place[e] = is_one ? j : layer.entities + e;
    }
    Row h[GROUP];
    for (int e = 0; e < GROUP; ++e) h[e] = layer.bias;
    for (int f = 0; f < FEATURES; ++f) {
      const Row& w = layer.weight[f];
      for (int e = 0; e < GROUP; ++e) add(h[e], x[e][f], w);
    }
    for (int e = 0; e < GROUP; ++e) sample.hidden[place[e]] = relu(h[e]);
  }
}

void attend(const Sample& sample, const Row& query, int entities, float* attention, Row& mean) {
  for (int j = 0; j < entities; ++j) attention[j] = 0.0f;
  mean = zeros();
  if (sample.there.empty()) return;
  float greatest = -INFINITY;
  for (int j : sample.there) {
    attention[j] = dot(sample.hidden[j], query);
    greatest = std::max(greatest, attention[j]);
  }
  float total = 0.0f;
  for (int j : sample.there) {
    attention[j] = std::exp(attention[j] - greatest);
    total += attention[j];
  }
  for (int j : sample.there) {
    attention[j] /= total;
    add(mean, attention[j], sample.hidden[j]);
  }
}

// The places of the greatest numbers, the greatest first; of equal ones the first.
void choose(const float* attention, int entities, int count, int64_t* places) {
  for (int i = 0; i < count; ++i) {
    int best = -1;
    for (int j = 0; j < entities; ++j) {
      bool taken = false;
      for (int k = 0; k < i; ++k) taken = taken || places[k] == j;
      if (!taken && (best < 0 || attention[j] > attention[best])) best = j;
    }
    places[i] = best;
  }
}

// The sums of a thread.
struct Sums {
  Row weight[FEATURES];
  Row bias;
  std::vector<double> totals;

  Sums() : totals((FEATURES + 1) * WIDTH, 0.0) { clear(); }

  void clear() {
    for (int f = 0; f < FEATURES; ++f) weight[f] = zeros();
    bias = zeros();
  }

  void flush() {
    float numbers[WIDTH];
    for (int f = 0; f <= FEATURES; ++f) {
      store(f < FEATURES ? weight[f] : bias, numbers);
      for (int w = 0; w < WIDTH; ++w) totals[f * WIDTH + w] += numbers[w];
    }
    clear();
  }
};

// Adds the gradients of several entities: each sum is read and written once for four of them.
void add_first_layer(const Sample& sample, const std::vector<int>& wanted,
                     const std::vector<Row>& by_hidden, const Row& none, Sums& sums) {
  const int count = static_cast<int>(wanted.size());
  static const float no_features[FEATURES] = {};
  for (int start = 0; start < count; start += GROUP) {
    const float* x[GROUP];
    Row g[GROUP];
    for (int e = 0; e < GROUP; ++e) {
      const bool is_one = start + e < count;
      x[e] = is_one ? sample.features[wanted[start + e]] : no_features;
      g[e] = is_one ? by_hidden[wanted[start + e]] : none;
      for (int v = 0; v < VECTORS; ++v) sums.bias.part[v] += g[e].part[v];
    }
    for (int f = 0; f < FEATURES; ++f) {
      Row total = sums.weight[f];
      for (int e = 0; e < GROUP; ++e) add(total, x[e][f], g[e]);
      sums.weight[f] = total;
    }
  }
}

struct Incoming {
  const float* attention;
  const int64_t* places;
  int count;
  const float* by_mean;
  const float* by_chosen;
};

// Room for the way back of one sample.
struct Scratch {
  std::vector<float> by_score;
  std::vector<Row> by_hidden;
  std::vector<int> wanted;

  explicit Scratch(int entities) : by_score(entities), by_hidden(entities) {}
};

// Back through mean and softmax: the gradient by the scores, and by the query.
Row back_to_scores(const Sample& sample, const float* attention, const Row& by_mean,
                   Scratch& scratch) {
  float total = 0.0f;
  for (int j : sample.there) {
    scratch.by_score[j] = dot(by_mean, sample.hidden[j]);
    total += attention[j] * scratch.by_score[j];
  }
  Row by_query = zeros();
  for (int j : sample.there) {
    scratch.by_score[j] = attention[j] * (scratch.by_score[j] - total);
    add(by_query, scratch.by_score[j], sample.hidden[j]);
  }
  return by_query;
}

// The gradient by the hidden rows: by scores, by mean, by the chosen.
void back_to_hidden(const Incoming& in, int64_t s, const Sample& sample, const float* attention,
                    const Row& by_mean, const Row& query, Scratch& scratch) {
  scratch.wanted = sample.there;
  for (int j : sample.there) {
    Row found = zeros();
    add(found, scratch.by_score[j], query);
    add(found, attention[j], by_mean);
    scratch.by_hidden[j] = found;
  }
  for (int i = 0; i < in.count; ++i) {
    const int j = static_cast<int>(in.places[s * in.count + i]);
    const Row by_chosen = load(in.by_chosen + (s * in.count + i) * WIDTH);
    const auto known = std::find(scratch.wanted.begin(), scratch.wanted.end(), j);
    if (known == scratch.wanted.end()) {
      // No entity is there, and yet it was chosen: there were too few.
      scratch.wanted.push_back(j);
      scratch.by_hidden[j] = by_chosen;
    } else {
      add(scratch.by_hidden[j], 1.0f, by_chosen);
    }
  }
  for (int j : scratch.wanted) keep_positive(scratch.by_hidden[j], sample.hidden[j]);
}

template <typename Work>
void in_threads(int64_t samples, int threads, Work work) {
  const int64_t each = (samples + threads - 1) / threads;
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) {
    const int64_t start = std::min(samples, t * each);
    const int64_t stop = std::min(samples, start + each);
    others.emplace_back([=] { work(t, start, stop); });
  }
  work(0, 0, std::min(samples, each));
  for (std::thread& other : others) other.join();
}

}  // namespace

extern "C" void outputs(const float* rows, int64_t nobody, const int32_t* index, int64_t samples,
                        int entities, int count, const float* query, const float* weight,
                        const float* bias, int threads, float* mean, float* attention,
                        float* chosen, int64_t* places) {
  const Layer layer = layer_of(rows, nobody, entities, weight, bias);
  in_threads(samples, threads, [=, &layer](int, int64_t start, int64_t stop) {
    Sample sample(entities);
    for (int64_t s = start; s < stop; ++s) {
      encode(layer, index + s * entities, sample);
      Row found;
      attend(sample, load(query + s * WIDTH), entities, attention + s * entities, found);
      store(found, mean + s * WIDTH);
      choose(attention + s * entities, entities, count, places + s * count);
      for (int i = 0; i < count; ++i) {
        store(sample.hidden[places[s * count + i]], chosen + (s * count + i) * WIDTH);
      }
    }
  });
}

extern "C" void gradients(const float* rows, int64_t nobody, const int32_t* index, int64_t samples,
                          int entities, int count, const float* query, const float* weight,
                          const float* bias, int threads, const float* attention,
                          const int64_t* places, const float* by_mean, const float* by_chosen,
                          int first_layer, float* by_query, float* by_weight, float* by_bias) {
  const Layer layer = layer_of(rows, nobody, entities, weight, bias);
  const Incoming in = {attention, places, count, by_mean, by_chosen};
  std::vector<Sums> sums(threads);
  in_threads(samples, threads, [=, &layer, &in, &sums](int t, int64_t start, int64_t stop) {
    Sample sample(entities);
    Scratch scratch(entities);
    for (int64_t s = start; s < stop; ++s) {
      encode(layer, index + s * entities, sample);
      const float* own = attention + s * entities;
      const Row mean = load(by_mean + s * WIDTH);
      store(back_to_scores(sample, own, mean, scratch), by_query + s * WIDTH);
      if (first_layer) {
        back_to_hidden(in, s, sample, own, mean, load(query + s * WIDTH), scratch);
        add_first_layer(sample, scratch.wanted, scratch.by_hidden, zeros(), sums[t]);
      }
      if ((s - start) % FLUSH == FLUSH - 1) sums[t].flush();
    }
    sums[t].flush();
  });
  for (const Sums& some : sums) {
    for (int i = 0; i < FEATURES * WIDTH; ++i) by_weight[i] += some.totals[i];
    for (int i = 0; i < WIDTH; ++i) by_bias[i] += some.totals[FEATURES * WIDTH + i];
  }
}

// What the tests of csrc/cuda share: batches in double, numbers that a format holds exactly, and a
// program run in the emulator.
#pragma once

#include <algorithm>

#include "checks.h"
#include "cuda_emulator.h"
#include "program.h"

namespace test {

using esr::cuda::Device;
using esr::cuda::DeviceMemory;
using esr::cuda::Element;
using esr::cuda::Format;
using esr::cuda::Picture;
using esr::cuda::Program;
using esr::cuda::Size;

// Pixels [n][channels][height][width]; zero outside.
struct Batch {
  int batch, channels, height, width;
  std::vector<double> data;
  Batch(int batch, int channels, int height, int width)
      : batch(batch),
        channels(channels),
        height(height),
        width(width),
        data(size_t(batch) * channels * height * width) {}
  double& at(int n, int c, int y, int x) {
    return data[((size_t(n) * channels + c) * height + y) * width + x];
  }
  double get(int n, int c, int y, int x) const {
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    return inside ? data[((size_t(n) * channels + c) * height + y) * width + x] : 0;
  }
  template <class Make>
  void fill(Make make) {
    for (int n = 0; n < batch; ++n)
      for (int c = 0; c < channels; ++c)
        for (int y = 0; y < height; ++y)
          for (int x = 0; x < width; ++x) at(n, c, y, x) = make(n, c, y, x);
  }
};

// Multiples of 1/16 in [-1, 1): exact in every format, and so are sums of a thousand products.
inline std::vector<double> exact(Random& random, size_t count) {
  std::vector<double> values(count);
  for (double& v : values) v = std::floor(random() * 16) / 16;
  return values;
}
inline Batch exact_batch(Random& random, const Size& size, int channels) {
  Batch x(size.batch, channels, size.height, size.width);
  x.data = exact(random, x.data.size());
  return x;
}

inline int digits(Format format) {
  return format == Format::f16 ? 11 : format == Format::bf16 ? 8 : 24;
}
// Half a unit in the last place of 1, and a little for an activation's own error.
inline double rounding(Format format) { return std::ldexp(1., -digits(format)) + 2e-6; }

// Half a unit in the last place of 1 of what a tensor core multiplies.
inline double operand_rounding(Format format) {
  return std::ldexp(1., -std::min(digits(format), 11));
}

// As a tensor core takes it.
inline Batch operand(Batch x, Format format) {
  const int kept = std::min(digits(format), 11);
  for (double& v : x.data) {
    if (v == 0) continue;
    const double unit = std::ldexp(1., std::ilogb(v) - kept + 1);
    const double count = v / unit;  // ties: to even, of TF32 away from zero
    v = (format == Format::tf32 ? std::round(count) : std::nearbyint(count)) * unit;
  }
  return x;
}

inline Element own_element(Format format) {
  return format == Format::f16    ? Element::f16
         : format == Format::bf16 ? Element::bf16
                                  : Element::f32;
}
inline int element_bytes(Element e) { return e == Element::f32 ? 4 : e == Element::u8 ? 1 : 2; }

// |y - truth| <= relative * |truth| + absolute, everywhere.
inline void expect_equal(const std::string& what, const Batch& y, const Batch& truth,
                         double relative, double absolute = 1e-6) {
  double worst = 0;
  for (size_t i = 0; i < truth.data.size(); ++i) {
    const double allowed = relative * std::abs(truth.data[i]) + absolute;
    const double error = std::abs(y.data[i] - truth.data[i]) / allowed;
    worst = worse(worst, error);
  }
  expect(worst <= 1, what + ": " + std::to_string(worst) + " times the allowed error");
}

// A picture on the device, NCHW, or NHWC where `last`.
class DevicePicture {
 public:
  DevicePicture(int batch, int channels, int height, int width, Element element, bool last)
      : shape_(batch, channels, height, width),
        memory_(element_bytes(element) * shape_.data.size()) {
    const int64_t c = channels, h = height, w = width;
    char* data = memory_.data();
    picture_ = last ? Picture{data, h * w * c, 1, w * c, c, element}
                    : Picture{data, c * h * w, h * w, w, 1, element};
  }
  // Of f32, or of u8 and then levels of 0..1.
  DevicePicture(const Batch& from, bool last, Element element)
      : DevicePicture(from.batch, from.channels, from.height, from.width, element, last) {
    shape_ = from;
    each([&](int64_t at, double v) {
      if (element == Element::u8)
        memory_.as<uint8_t>()[at] = uint8_t(std::lround(v * 255));
      else
        memory_.as<float>()[at] = float(v);
    });
  }
  const Picture& picture() const { return picture_; }
  Batch read() {
    size_t i = 0;
    each([&](int64_t at, double) { shape_.data[i++] = element(at); });
    return shape_;
  }

 private:
  template <class F>
  void each(F f) {
    for (int n = 0; n < shape_.batch; ++n)
      for (int c = 0; c < shape_.channels; ++c)
        for (int y = 0; y < shape_.height; ++y)
          for (int x = 0; x < shape_.width; ++x)
            f(n * picture_.batch + c * picture_.channel + y * picture_.row + x * picture_.column,
              shape_.at(n, c, y, x));
  }
  double element(int64_t at) {
    float low, high;
    switch (picture_.element) {
      case Element::f32: return memory_.as<float>()[at];
      case Element::f16: esr::cuda::F16::unpack(memory_.as<uint16_t>()[at], low, high); return low;
      case Element::bf16:
        esr::cuda::BF16::unpack(memory_.as<uint16_t>()[at], low, high);
        return low;
      default: return memory_.as<uint8_t>()[at] / 255.;
    }
  }

  Batch shape_;
  DeviceMemory memory_;
  Picture picture_;
};

struct Output {
  int value, factor;
};

// The program's outputs as pictures of `element`, every other one NHWC, as inputs are. Those are
// f32, or u8.
inline std::vector<Batch> run(const Program& program, const Device& device,
                              const std::vector<Batch>& inputs, const std::vector<Output>& outputs,
                              Element element = Element::f32,
                              Element input_element = Element::f32) {
  const Batch& first = inputs[0];
  const Size size{first.batch, first.height, first.width};
  std::vector<DevicePicture> in, out;
  in.reserve(inputs.size());
  out.reserve(outputs.size());
  Program::Run run{{}, {}, size, nullptr, nullptr, device, nullptr};
  for (const Batch& x : inputs) {
    in.emplace_back(x, in.size() % 2 == 1, input_element);
    run.inputs.push_back(in.back().picture());
  }
  for (const auto& [value, r] : outputs) {
    out.emplace_back(size.batch, program.channels(value) / r / r, size.height * r, size.width * r,
                     element, out.size() % 2 == 1);
    run.outputs.push_back(out.back().picture());
  }
  DeviceMemory constants(program.constants());
  constants.protect();
  const DeviceMemory workspace(program.workspace_bytes(device, size));
  run.constants = constants.data();
  run.workspace = workspace.data();
  program.run(run);
  std::vector<Batch> results;
  for (DevicePicture& y : out) results.push_back(y.read());
  return results;
}

}  // namespace test

// Kernel forms. A kernel is compiled in several: for a number format, a number of columns, where it
// reads and writes. One table for each kernel names them all; the .cu files instantiate exactly its
// entries, launches choose among them, and tests walk them.
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "parameters.h"

namespace esr::cuda {

const char* name_of(Format format);

// Where a convolution reads or writes.
const char* name_of(ConvEnds ends);

struct ConvForm {
  Format format;
  int taps;     // 9, or 1 for a 1x1 convolution
  int n_tiles;  // products of 8 columns that a block makes
  ConvEnds ends;

  bool operator==(const ConvForm&) const = default;
  std::string name() const;
  constexpr bool exists() const {
    if (taps == 1) return ends == ConvEnds::slabs && format != Format::half_sums;
    if (format == Format::half_sums) return ends == ConvEnds::slabs;
    return ends != ConvEnds::to_pointwise || format != Format::tf32;
  }
  template <class Add>
  static constexpr void each(Add add) {
    for (Format format : {Format::f16, Format::bf16, Format::tf32, Format::half_sums})
      for (int taps : {1, 9})
        for (int n_tiles : {2, 4, 6, 8})
          for (ConvEnds ends : {ConvEnds::slabs, ConvEnds::from_picture, ConvEnds::to_picture,
                                ConvEnds::to_pointwise})
            if (const ConvForm form{format, taps, n_tiles, ends}; form.exists()) add(form);
  }
};

// Of spab in one kernel.
struct SpabForm {
  Format format;
  int slabs, rows, patches;

  bool operator==(const SpabForm&) const = default;
  std::string name() const;
  template <class Add>
  static constexpr void each(Add add) {
    for (Format format : {Format::f16, Format::bf16, Format::half_sums})
      for_spab_shapes([&]<int kSlabs, int kRows, int kPatches>() {
        add(SpabForm{format, kSlabs, kRows, kPatches});
      });
  }
};

struct EsaForm {
  Format format;
  int n_tiles;

  bool operator==(const EsaForm&) const = default;
  std::string name() const;
  template <class Add>
  static constexpr void each(Add add) {
    for (Format format : {Format::f16, Format::bf16, Format::tf32})
      for (int n_tiles : {2, 4}) add(EsaForm{format, n_tiles});
  }
};

// Of the kernels between pictures and slabs.
struct ConvertForm {
  bool packs;
  Format format;

  bool operator==(const ConvertForm&) const = default;
  std::string name() const;
  template <class Add>
  static constexpr void each(Add add) {
    for (bool packs : {true, false})
      for (Format format : {Format::f16, Format::bf16, Format::tf32})
        add(ConvertForm{packs, format});
  }
};

template <class Form>
constexpr size_t form_count() {
  size_t count = 0;
  Form::each([&](const Form&) { ++count; });
  return count;
}

// All forms of a kernel.
template <class Form>
inline constexpr auto kForms = [] {
  std::array<Form, form_count<Form>()> all{};
  size_t count = 0;
  Form::each([&](const Form& form) { all[count++] = form; });
  return all;
}();

// Calls body<i>(), where kForms<Form>[i] is `form`.
template <class Form, class Body>
void with_form(const Form& form, Body body) {
  const auto call_if_equal = [&]<size_t i>() {
    if (!(kForms<Form>[i] == form)) return false;
    body.template operator()<i>();
    return true;
  };
  [&]<size_t... i>(std::index_sequence<i...>) {
    if (!(call_if_equal.template operator()<i>() || ...))
      throw std::invalid_argument("there is no kernel '" + form.name() + "'");
  }(std::make_index_sequence<kForms<Form>.size()>());
}

// Names of everything that can be launched.
std::vector<std::string> forms();

}  // namespace esr::cuda

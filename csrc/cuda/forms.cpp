#include "forms.h"

namespace esr::cuda {

const char* name_of(Format format) {
  constexpr const char* kNames[] = {"f16", "bf16", "tf32", "half_sums"};
  return kNames[int(format)];
}

const char* name_of(ConvEnds ends) {
  constexpr const char* kNames[] = {"slabs", "from_picture", "to_picture", "to_pointwise"};
  return kNames[int(ends)];
}

std::string ConvForm::name() const {
  return std::string("conv_act ") + name_of(format) + (taps == 9 ? " 3x3 " : " 1x1 ") +
         std::to_string(n_tiles) + " tiles " + name_of(ends);
}

std::string SpabForm::name() const {
  return std::string("spab ") + name_of(format) + " " + std::to_string(slabs) + " slabs " +
         std::to_string(rows) + " rows " + std::to_string(patches) + " patches";
}

std::string EsaForm::name() const {
  return std::string("esa ") + name_of(format) + " " + std::to_string(n_tiles) + " tiles";
}

std::string ConvertForm::name() const {
  return std::string(packs ? "pack " : "unpack ") + name_of(format);
}

std::vector<std::string> forms() {
  std::vector<std::string> names;
  const auto add = [&](const auto& form) { names.push_back(form.name()); };
  ConvForm::each(add);
  SpabForm::each(add);
  EsaForm::each(add);
  ConvertForm::each(add);
  return names;
}

}  // namespace esr::cuda

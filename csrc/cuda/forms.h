// Kernel forms. A kernel is compiled in several: for a number format, a number of columns, where it
// reads and writes. Beside a kernel's parameters stands a struct that names one of its forms and
// lists them all: the .cu file instantiates exactly these, launches choose among them, and tests
// walk them. It has
//
//   bool operator==(const Form&) const;
//   std::string name() const;
//   template <class Add> static constexpr void each(Add add);  // calls add(form) for all forms
#pragma once

#include <array>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace esr::cuda {

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

// Names of all forms of these kernels.
template <class... Forms>
std::vector<std::string> form_names() {
  std::vector<std::string> names;
  const auto add = [&](const auto& form) { names.push_back(form.name()); };
  (Forms::each(add), ...);
  return names;
}

}  // namespace esr::cuda

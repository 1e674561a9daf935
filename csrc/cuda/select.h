// From what is known at run time to a kernel's template arguments, for the launches and their
// counterparts in the tests alike.
#pragma once

#include <type_traits>

#include "parameters.h"
#include "ptx.cuh"

namespace esr::cuda {

// body<Format>(), F16 for half_sums.
template <class Body>
void with_format(Format format, Body body) {
  switch (format) {
    case Format::bf16: return body.template operator()<BF16>();
    case Format::tf32: return body.template operator()<TF32>();
    default: return body.template operator()<F16>();
  }
}

template <class Body>
void with_tiles(int tiles, Body body) {
  switch (tiles) {
    case 2: return body.template operator()<2>();
    case 4: return body.template operator()<4>();
    case 6: return body.template operator()<6>();
    default: return body.template operator()<8>();
  }
}

template <class F, int kTiles, class Body>
void with_pointwise(Body body) {
  if constexpr (!std::is_same_v<F, TF32>)
    body.template operator()<F, 9, kTiles, ConvEnds::to_pointwise>();
}

template <class F, int kTiles, class Body>
void with_half_sums(Body body) {
  if constexpr (std::is_same_v<F, F16>)
    body.template operator()<HalfSums, 9, kTiles, ConvEnds::slabs>();
}

// body<Format, taps, tiles, ends>(); half_sums where both ends are slabs
template <class Body>
void with_conv(Format format, const ConvParameters& p, Body body) {
  with_format(format, [&]<class F>() {
    with_tiles(p.geometry.tiles, [&]<int kTiles>() {
      if (p.taps == 1)
        body.template operator()<F, 1, kTiles, ConvEnds::slabs>();
      else if (p.ends == ConvEnds::from_picture)
        body.template operator()<F, 9, kTiles, ConvEnds::from_picture>();
      else if (p.ends == ConvEnds::to_picture)
        body.template operator()<F, 9, kTiles, ConvEnds::to_picture>();
      else if (p.ends == ConvEnds::to_pointwise)
        with_pointwise<F, kTiles>(body);
      else if (format == Format::half_sums)
        with_half_sums<F, kTiles>(body);
      else
        body.template operator()<F, 9, kTiles, ConvEnds::slabs>();
    });
  });
}

// body<Format, tiles>()
template <class Body>
void with_esa(Format format, int tiles, Body body) {
  with_format(format, [&]<class F>() {
    tiles == 2 ? body.template operator()<F, 2>() : body.template operator()<F, 4>();
  });
}

// body<Format, slabs, rows, patches>(), of the forms that spab_geometry knows.
template <class Body>
void with_spab(Format format, const SpabGeometry& g, Body body) {
  const auto form = [&]<class F>() {
    if (g.slabs == 3) return body.template operator()<F, 3, 2, 3>();
    if (g.rows == 4) return body.template operator()<F, 2, 4, 4>();
    if (g.patches == 4) return body.template operator()<F, 2, 2, 4>();
    return body.template operator()<F, 2, 2, 2>();
  };
  switch (format) {
    case Format::bf16: return form.template operator()<BF16>();
    case Format::half_sums: return form.template operator()<HalfSums>();
    default: return form.template operator()<F16>();
  }
}

}  // namespace esr::cuda

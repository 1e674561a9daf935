// From what is known at run time to a kernel's template arguments, for the launches and their
// counterparts in the tests alike.
#pragma once

#include "parameters.h"
#include "ptx.cuh"

namespace esr::cuda {

template <class Body>
void with_format(Format format, Body body) {
  switch (format) {
    case Format::f16: return body.template operator()<F16>();
    case Format::bf16: return body.template operator()<BF16>();
    case Format::tf32: return body.template operator()<TF32>();
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

// body<Format, taps, tiles, ends>()
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
      else
        body.template operator()<F, 9, kTiles, ConvEnds::slabs>();
    });
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
  format == Format::f16 ? form.template operator()<F16>() : form.template operator()<BF16>();
}

}  // namespace esr::cuda

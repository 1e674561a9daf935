// The row kernels of all kinds of steps: the one place in C++ that names a new kind. Everything
// else of a step stands in its own files: max_pool.h is the step, max_pool_rows.h its kernel.
#pragma once

// X(function, what it takes)
#define ESR_FOR_EACH_ROW_KERNEL(X)         \
  X(pack, PackRow)                         \
  X(conv3x3, ConvRow)                      \
  X(conv1x1, ConvRow)                      \
  X(depthwise, ConvRow)                    \
  X(direct_conv, ConvRow)                  \
  X(depthwise3x3, ConvRow)                 \
  X(strided_conv, ConvRow)                 \
  X(max_pool, MaxPoolRow)                  \
  X(window_variance, WindowVarianceRow)    \
  X(bilinear, BilinearRow)                 \
  X(channel_norm, ChannelNormRow)          \
  X(nearest, NearestRow)                   \
  X(adaptive_max_pool, AdaptiveMaxPoolRow) \
  X(row_statistic, RowStatisticRow) X(formula, FormulaRow) X(pixel_shuffle, ShuffleRow)

// Of instruction sets with matrix tiles only.
#define ESR_FOR_EACH_TILE_KERNEL(X) \
  X(tile_conv, TileConvRow)         \
  X(bilinear_pixels, BilinearRow)   \
  X(to_pixels, FormatRow)           \
  X(to_planes, FormatRow)           \
  X(shuffle_lines, ShuffleRow)

namespace esr {
#define ESR_DECLARE(kernel, Row) struct Row;
ESR_FOR_EACH_ROW_KERNEL(ESR_DECLARE)
ESR_FOR_EACH_TILE_KERNEL(ESR_DECLARE)
#undef ESR_DECLARE
}  // namespace esr

#ifdef ESR_ISA  // in kernels.cpp
#include "adaptive_max_pool_rows.h"
#include "bilinear_rows.h"
#include "channel_norm_rows.h"
#include "conv1x1_rows.h"
#include "conv3x3_rows.h"
#include "depthwise3x3_rows.h"
#include "depthwise_rows.h"
#include "direct_conv_rows.h"
#include "formula_rows.h"
#include "input_rows.h"
#include "max_pool_rows.h"
#include "nearest_rows.h"
#include "output_rows.h"
#include "statistic_rows.h"
#include "strided_conv_rows.h"
#include "window_variance_rows.h"
#ifdef ESR_TILES
#include "bilinear_pixels_rows.h"
#include "format_rows.h"
#include "output_lines_rows.h"
#include "tile_conv_rows.h"
#endif
#endif

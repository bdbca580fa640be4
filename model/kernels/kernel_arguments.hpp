#pragma once
// All types that kernels work with. To be included before the pragma of an instruction set: what these headers define inline
// must be compiled for the baseline.
#include "model/kernels/attention.hpp"
#include "model/kernels/backward.hpp"
#include "model/kernels/gemm.hpp"
#include "model/kernels/kernel_table.hpp"
#include "model/kernels/layout.hpp"
#include "model/kernels/rowwise.hpp"

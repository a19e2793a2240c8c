#include <nerone/device.hpp>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/simd_target.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace nerone::kernels::HWY_NAMESPACE {

const char* name_of_target() { return hwy::TargetName(HWY_TARGET); }

}  // namespace nerone::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace nerone {

namespace kernels {
HWY_EXPORT(name_of_target);
}

// Dispatched as every kernel is, so that it cannot say another target than they take.
std::string simd_target() {
  using namespace kernels;
  return HWY_DYNAMIC_DISPATCH(name_of_target)();
}

}  // namespace nerone
#endif

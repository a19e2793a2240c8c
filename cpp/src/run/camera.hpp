#pragma once

#include <filesystem>
#include <memory>

#include "run/source.hpp"

namespace nerone::run {

// A V4L2 camera's frames as (height, width, 3) RGB. It gives RGB24 or YUYV; the driver may choose another size.
// DeviceError.
std::unique_ptr<Source> open_camera(const std::filesystem::path& device, int width, int height);

// YUV 4:2:2 of one row, Y0 U Y1 V ..., to RGB: ITU-R BT.601 with 8 fraction bits, limited range.
void yuyv_to_rgb(const unsigned char* yuyv, int width, char* rgb);

}  // namespace nerone::run

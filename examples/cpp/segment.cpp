// segment BUNDLE HEIGHT WIDTH < image > mask: one image of int16 pixels in, its mask of uint8 classes out.
#include <iostream>
#include <nerone/bundle.hpp>
#include <nerone/error.hpp>
#include <nerone/pipeline.hpp>
#include <string>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 4) throw nerone::ConfigurationError("usage: segment BUNDLE HEIGHT WIDTH < image > mask");
  const auto bundle = nerone::Bundle::open(argv[1]);
  auto pipeline = nerone::pipeline::open(bundle.model, bundle.preprocessing, nerone::postprocess::Kind::classes);

  const int height = std::stoi(argv[2]), width = std::stoi(argv[3]);
  std::vector<std::int16_t> pixels(static_cast<std::size_t>(height) * width);
  const auto size = static_cast<std::streamsize>(pixels.size() * sizeof pixels[0]);
  if (!std::cin.read(reinterpret_cast<char*>(pixels.data()), size)) {
    throw nerone::ShapeError("the input ends before " + std::to_string(size) + " bytes");
  }

  nerone::preprocess::Image image;
  image.views = {nerone::TensorView::contiguous(pixels.data(), nerone::DType::int16, {height, width})};
  auto ticket = pipeline.submit(std::make_shared<nerone::pipeline::Images>(1, image));
  const auto result = ticket.wait();
  const auto& mask = result.outputs().front();
  std::cout.write(static_cast<const char*>(mask.data), mask.element_count());
  std::cerr << bundle.name << ": a mask of shape " << nerone::to_string(mask.shape) << "\n";
} catch (const std::exception& error) {
  std::cerr << error.what() << "\n";
  return 2;
}

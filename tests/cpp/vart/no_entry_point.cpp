// A library that VART could open, but that makes no runners.
extern "C" __attribute__((visibility("default"))) int nothing() { return 0; }

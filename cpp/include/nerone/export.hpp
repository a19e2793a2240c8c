#pragma once

// Marks what leaves libnerone.so. In the extension and the plug-ins the linker hides it again, but for the error
// classes, which keep one identity across them.
#define NERONE_EXPORT __attribute__((visibility("default")))

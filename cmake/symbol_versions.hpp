// Included into every source that is compiled for a board: of a function that libstdc++ 12 exports in two versions, the
// older one, which the libraries of PetaLinux 2022 (libstdc++ 11) have. The two differ in noexcept only.
#pragma once

__asm__(
    ".symver _ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE, "
    "_ZNSt18condition_variable4waitERSt11unique_lockISt5mutexE@GLIBCXX_3.4.11");

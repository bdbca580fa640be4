// The entry point of every test program. Catch2 3 brings its own, in Catch2::Catch2WithMain.
#if !__has_include(<catch2/catch_test_macros.hpp>)
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>
#endif

#ifdef __SANITIZE_ADDRESS__
/// What is left behind without our doing: libvorbis, when the headers of a file are damaged.
extern "C" const char* __lsan_default_suppressions() { return "leak:vorbis_info_init\n"; }
#endif

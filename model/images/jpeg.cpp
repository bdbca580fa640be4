// JPEG, by libjpeg. Its errors are jumps: between a setjmp and the calls that may jump nothing is constructed that has to be destroyed.
#include "model/error.hpp"
#include "model/images/formats.hpp"
#include <csetjmp>
#include <cstdio>
#include <cstring>
#include <jerror.h>
#include <jpeglib.h>

namespace troupe {
namespace {

constexpr int scans_max = 256; // Of a progressive image, each of which is a pass through all of it; usual are ten.

struct jpeg_job {
  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_progress_mgr progress{};
  std::jmp_buf stop;
  char error[JMSG_LENGTH_MAX] = "";
  bool out_of_memory = false;
  uint8_t* pixels = nullptr;

  ~jpeg_job() { jpeg_destroy_decompress(&jpeg); }
};

jpeg_job& job_of(j_common_ptr jpeg) { return *static_cast<jpeg_job*>(jpeg->client_data); }

void on_error(j_common_ptr jpeg) {
  auto& job = job_of(jpeg);
  jpeg->err->format_message(jpeg, job.error);
  job.out_of_memory = jpeg->err->msg_code == JERR_OUT_OF_MEMORY;
  std::longjmp(job.stop, 1);
}

/// libjpeg calls most damage a warning and fills in grey: here it is an error. Bytes too many between two markers change nothing.
void on_message(j_common_ptr jpeg, int level) {
  if (level < 0 && jpeg->err->msg_code != JWRN_EXTRANEOUS_DATA && jpeg->err->msg_code != JWRN_ADOBE_XFORM) on_error(jpeg);
}
void ignore_output(j_common_ptr) {}

void on_progress(j_common_ptr jpeg) {
  if (reinterpret_cast<j_decompress_ptr>(jpeg)->input_scan_number <= scans_max) return;
  auto& job = job_of(jpeg);
  std::snprintf(job.error, sizeof job.error, "more than %d scans", scans_max);
  std::longjmp(job.stop, 1);
}

/// False: job.error says why.
bool read_header(jpeg_job& job, std::span<const uint8_t> file, uint64_t memory_max) {
  if (setjmp(job.stop)) return false;
  jpeg_create_decompress(&job.jpeg);
  job.jpeg.client_data = &job; // Creating it has cleared all but the errors.
  job.jpeg.progress = &job.progress;
  job.jpeg.mem->max_memory_to_use = long(memory_max);
  jpeg_mem_src(&job.jpeg, file.data(), static_cast<unsigned long>(file.size()));
  jpeg_save_markers(&job.jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header(&job.jpeg, TRUE);
  return true;
}

bool read_rows(jpeg_job& job) {
  if (setjmp(job.stop)) return false;
  job.jpeg.out_color_space = JCS_RGB;
  jpeg_start_decompress(&job.jpeg);
  while (job.jpeg.output_scanline < job.jpeg.output_height) {
    JSAMPROW row = job.pixels + size_t(job.jpeg.output_scanline) * job.jpeg.output_width * 3;
    jpeg_read_scanlines(&job.jpeg, &row, 1);
  }
  jpeg_finish_decompress(&job.jpeg);
  return true;
}

uint32_t orientation_of(const jpeg_decompress_struct& jpeg) {
  constexpr char begin[] = {'E', 'x', 'i', 'f', 0, 0};
  for (auto* marker = jpeg.marker_list; marker != nullptr; marker = marker->next)
    if (marker->data_length > sizeof begin && std::memcmp(marker->data, begin, sizeof begin) == 0)
      return orientation_in({marker->data + sizeof begin, marker->data_length - sizeof begin});
  return 1;
}

} // namespace

decoded_image decode_jpeg(std::span<const uint8_t> file, const image_limits& limits) {
  jpeg_job job;
  job.jpeg.err = jpeg_std_error(&job.errors);
  job.jpeg.client_data = &job;
  job.errors.error_exit = on_error;
  job.errors.emit_message = on_message;
  job.errors.output_message = ignore_output;
  job.progress.progress_monitor = on_progress;
  const auto fail = [&] {
    if (job.out_of_memory) throw input_error("the JPEG needs more memory than is allowed for one");
    throw input_error("the JPEG is damaged or not supported: " + std::string(job.error));
  };
  // A progressive one is kept as coefficients of 16 bits in three planes.
  if (!read_header(job, file, limits.pixels_max * 6 + (16 << 20))) fail();
  require_size(job.jpeg.image_width, job.jpeg.image_height, limits);
  decoded_image result{{job.jpeg.image_width, job.jpeg.image_height, {}}, orientation_of(job.jpeg)};
  result.image.pixels.resize(size_t(result.image.width) * result.image.height * 3);
  job.pixels = result.image.pixels.data();
  if (!read_rows(job)) fail();
  return result;
}

} // namespace troupe

#include "messages/fill.hpp"

#include <bit>
#include <stdexcept>
#include <string>

namespace troupe::testing {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

std::uint64_t nonzero(random_bits& random) {
  // Few bits as often as many: varints of every length.
  const auto drawn = random() >> (random() % 64);
  return drawn == 0 ? 1 : drawn;
}

float awkward_float(random_bits& random) {
  static constexpr std::uint32_t awkward[] = {
      0x7fc12345u, // NaN with a payload
      0xffc00001u, // negative NaN
      0x7f800000u, // infinity
      0xff800000u, // -infinity
      0x00000001u, // the smallest denormal
      0x807fffffu, // the largest negative denormal
      0x80000000u, // -0
      0x7f7fffffu, // the largest number
  };
  const auto drawn = random();
  const auto bits = drawn % 2 == 0 ? awkward[(drawn >> 1) % std::size(awkward)] : static_cast<std::uint32_t>(drawn >> 32);
  return std::bit_cast<float>(bits == 0 ? 1u : bits);
}

std::string text(random_bits& random) {
  static constexpr const char* characters[] = {"a", "Z", " ", "\n", "é", "→", "🎭"};
  std::string result;
  for (auto left = 1 + random() % 12; left > 0; --left)
    result += characters[random() % std::size(characters)];
  return result;
}

/// Calls set(value) with a value of the type that `field` holds.
template <class Set>
void draw(const FieldDescriptor& field, random_bits& random, Set set) {
  switch (field.cpp_type()) {
  case FieldDescriptor::CPPTYPE_INT32: return set(static_cast<std::int32_t>(nonzero(random) | 1));
  case FieldDescriptor::CPPTYPE_INT64: return set(static_cast<std::int64_t>(nonzero(random)));
  case FieldDescriptor::CPPTYPE_UINT32: return set(static_cast<std::uint32_t>(nonzero(random) | 1));
  case FieldDescriptor::CPPTYPE_UINT64: return set(nonzero(random));
  case FieldDescriptor::CPPTYPE_FLOAT: return set(awkward_float(random));
  case FieldDescriptor::CPPTYPE_DOUBLE: return set(static_cast<double>(awkward_float(random)));
  case FieldDescriptor::CPPTYPE_BOOL: return set(true);
  case FieldDescriptor::CPPTYPE_STRING: return set(text(random));
  case FieldDescriptor::CPPTYPE_ENUM: {
    const auto* values = field.enum_type();
    return set(values->value(1 + static_cast<int>(random() % static_cast<unsigned>(values->value_count() - 1))));
  }
  case FieldDescriptor::CPPTYPE_MESSAGE: break;
  }
  throw std::logic_error("fill does not know the type of " + field.full_name());
}

struct setter {
  const google::protobuf::Reflection& access;
  Message& message;
  const FieldDescriptor* field;

  void operator()(std::int32_t x) const { access.SetInt32(&message, field, x); }
  void operator()(std::int64_t x) const { access.SetInt64(&message, field, x); }
  void operator()(std::uint32_t x) const { access.SetUInt32(&message, field, x); }
  void operator()(std::uint64_t x) const { access.SetUInt64(&message, field, x); }
  void operator()(float x) const { access.SetFloat(&message, field, x); }
  void operator()(double x) const { access.SetDouble(&message, field, x); }
  void operator()(bool x) const { access.SetBool(&message, field, x); }
  void operator()(std::string x) const { access.SetString(&message, field, std::move(x)); }
  void operator()(const google::protobuf::EnumValueDescriptor* x) const { access.SetEnum(&message, field, x); }
};

struct adder {
  const google::protobuf::Reflection& access;
  Message& message;
  const FieldDescriptor* field;

  void operator()(std::int32_t x) const { access.AddInt32(&message, field, x); }
  void operator()(std::int64_t x) const { access.AddInt64(&message, field, x); }
  void operator()(std::uint32_t x) const { access.AddUInt32(&message, field, x); }
  void operator()(std::uint64_t x) const { access.AddUInt64(&message, field, x); }
  void operator()(float x) const { access.AddFloat(&message, field, x); }
  void operator()(double x) const { access.AddDouble(&message, field, x); }
  void operator()(bool x) const { access.AddBool(&message, field, x); }
  void operator()(std::string x) const { access.AddString(&message, field, std::move(x)); }
  void operator()(const google::protobuf::EnumValueDescriptor* x) const { access.AddEnum(&message, field, x); }
};

} // namespace

void fill(Message& message, random_bits& random, std::uint64_t repeats_max) {
  const auto& access = *message.GetReflection();
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    // Only one of a oneof stays: now an earlier one, now a later one.
    const auto* choice = field->real_containing_oneof();
    if (choice && access.HasOneof(message, choice) && random() % 4 != 0)
      continue;
    if (!field->is_repeated()) {
      if (is_message)
        fill(*access.MutableMessage(&message, field), random, repeats_max);
      else
        draw(*field, random, setter{access, message, field});
      continue;
    }
    for (auto left = 1 + random() % repeats_max; left > 0; --left) {
      if (is_message)
        fill(*access.AddMessage(&message, field), random, repeats_max);
      else
        draw(*field, random, adder{access, message, field});
    }
  }
}

bool is_full(const Message& message) {
  const auto& access = *message.GetReflection();
  const auto& type = *message.GetDescriptor();
  for (int i = 0; i < type.field_count(); ++i) {
    const auto* field = type.field(i);
    const bool is_message = field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const auto* choice = field->real_containing_oneof();
    if (choice && access.HasOneof(message, choice) && !access.HasField(message, field))
      continue;
    if (!field->is_repeated()) {
      if (!access.HasField(message, field) || (is_message && !is_full(access.GetMessage(message, field))))
        return false;
      continue;
    }
    if (access.FieldSize(message, field) == 0)
      return false;
    for (int k = 0; is_message && k < access.FieldSize(message, field); ++k)
      if (!is_full(access.GetRepeatedMessage(message, field, k)))
        return false;
  }
  return true;
}

} // namespace troupe::testing

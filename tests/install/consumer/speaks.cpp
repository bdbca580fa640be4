// A program outside of troupe that knows its messages.
#include <messages/message_types.hpp>

#include <messages/caf_message.hpp>

#include <iostream>

int main() {
  troupe::v1::TokenEvent token;
  token.set_text("Once upon a time");
  std::cout << to_string(caf::make_message(token)) << "\n";
}

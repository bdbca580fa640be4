// A program outside of troupe that runs a model: the lines of engine.hpp, as a user would write them.
#include <actors/engine.hpp>
#include <model/error.hpp>

#include <iostream>

int main(int, char** arguments) {
  try {
    troupe::engine engine{troupe::open_model(arguments[1]), {}};
    auto client = engine.connect();
    client.submit({.prompt = client.encode("Once upon a time"), .tokens_max = 16});
    while (auto event = client.next())
      std::cout << event->text;
    std::cout << std::endl;
  } catch (const troupe::input_error& error) {
    std::cout << error.what() << std::endl;
    return 2;
  }
}

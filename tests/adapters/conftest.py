from doubles.fixtures import dashscope_double, openai_double

__all__ = ["dashscope_double", "openai_double"]

print("minik")

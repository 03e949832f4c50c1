enum ControllersRoom {}

hrunc_fuzz(image image.cpp LIBRARIES hrunc_recode)
hrunc_fuzz(inspect inspect.cpp LIBRARIES hrunc_recode)

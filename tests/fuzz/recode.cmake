hrunc_fuzz(recode recode.cpp LIBRARIES hrunc_recode)
hrunc_fuzz(host host.cpp LIBRARIES hrunc_recode)
hrunc_fuzz(profile profile.cpp LIBRARIES hrunc_recode)

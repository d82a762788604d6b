import keras, numpy as np
keras.utils.set_random_seed(0)
m=keras.applications.MobileNetV2(weights=None,input_shape=(224,224,3),classes=10); m.save('mb.keras')
np.savez('mb.npz',x=np.random.default_rng(0).normal(size=(64,224,224,3)).astype('f'))

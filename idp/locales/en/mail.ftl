# Mails.
mail-new-sign-in-subject = New sign-in to your account
mail-new-sign-in-what = Your account has just been used on a device we did not know yet.
mail-new-sign-in-when = Date: { $when }
mail-new-sign-in-device = Device: { $device }
mail-new-sign-in-address = Network address: { $address }
mail-new-sign-in-if-you = If this was you, there is nothing to do.
mail-new-sign-in-if-not = If this was not you, tell the administrator of your organization at once.

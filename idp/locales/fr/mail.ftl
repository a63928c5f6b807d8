# Courriels.
mail-new-sign-in-subject = Nouvelle connexion à votre compte
mail-new-sign-in-what = Votre compte vient d’être utilisé depuis un appareil que nous ne connaissions pas encore.
mail-new-sign-in-when = Date : { $when }
mail-new-sign-in-device = Appareil : { $device }
mail-new-sign-in-address = Adresse réseau : { $address }
mail-new-sign-in-if-you = Si c’est bien vous, il n’y a rien à faire.
mail-new-sign-in-if-not = Si ce n’est pas vous, prévenez sans attendre l’administrateur de votre organisation.
